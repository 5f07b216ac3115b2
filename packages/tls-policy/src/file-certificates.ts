import { readFile, stat } from 'node:fs/promises'
import { systemClock } from '@posthorn/system'
import type { CertificatePair, Certificates, Clock } from '@posthorn/contracts'
import { checkPair } from './pair.ts'

/** Paths of PEM files: the chain, leaf first, and its key. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
}

export interface FileCertificatesOptions {
  readonly default: PairFiles
  /** By server name; `*.example.org` stands for one label. */
  readonly byName?: Readonly<Record<string, PairFiles>>
  /** The system's when absent. */
  readonly clock?: Clock
  /** How often the files are looked at; 30 seconds when absent. */
  readonly pollMs?: number
  /** Told once of each new state of the files that cannot serve; the pair from before stays in use. */
  readonly onError?: (error: Error) => void
}

/** Certificates that follow their files. */
export interface FileCertificates extends Certificates {
  /** Look at the files now. */
  reload(): Promise<void>
  /** Stop looking; what is loaded stays. */
  close(): void
}

interface Entry {
  readonly files: PairFiles
  readonly pair: CertificatePair
  /** What the files looked like, to see whether they changed. */
  readonly state: string
}

const explain = (path: string, error: unknown): Error => {
  const code = (error as NodeJS.ErrnoException).code
  const why =
    code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'may not be read by this user' : (error as Error).message
  return new Error(`${path}: ${why}`, { cause: error })
}

const fromFile = async <T>(path: string, action: (path: string) => Promise<T>): Promise<T> => {
  try {
    return await action(path)
  } catch (error) {
    throw explain(path, error)
  }
}

/** Changes with content, replacement by another file (renewal tools move links), and permissions. */
const stateOf = async (files: PairFiles): Promise<string> => {
  const states = await Promise.all(
    [files.cert, files.key].map(path =>
      stat(path).then(
        s => `${s.ino} ${s.size} ${s.mtimeMs} ${s.ctimeMs}`,
        (error: unknown) => String((error as NodeJS.ErrnoException).code),
      ),
    ),
  )
  return states.join('|')
}

const load = async (files: PairFiles): Promise<CertificatePair> => {
  const certPem = await fromFile(files.cert, path => readFile(path, 'utf8'))
  const keyPem = await fromFile(files.key, path => readFile(path, 'utf8'))
  return checkPair({ certPem, keyPem }, files.cert, files.key)
}

const wildcardOf = (name: string): string => `*${name.slice(name.indexOf('.') < 0 ? name.length : name.indexOf('.'))}`

class WatchedFiles implements FileCertificates {
  readonly #entries: Map<string, Entry>
  readonly #refused = new Map<string, string>()
  readonly #options: FileCertificatesOptions
  readonly #listeners = new Set<() => void>()
  #cancel: () => void = () => {}
  #closed = false
  #looking: Promise<void> | undefined

  constructor(entries: Map<string, Entry>, options: FileCertificatesOptions) {
    this.#entries = entries
    this.#options = options
    this.#schedule()
  }
  #schedule(): void {
    if (this.#closed) return
    this.#cancel = (this.#options.clock ?? systemClock).after(this.#options.pollMs ?? 30_000, () => {
      void this.reload().then(() => this.#schedule())
    })
  }

  forName(sni: string | undefined): CertificatePair {
    const name = sni?.toLowerCase() ?? ''
    const entry = this.#entries.get(name) ?? this.#entries.get(wildcardOf(name)) ?? this.#entries.get('')
    if (entry === undefined) throw new Error('no default certificate')
    return entry.pair
  }
  onChange(call: () => void): () => void {
    this.#listeners.add(call)
    return () => this.#listeners.delete(call)
  }

  reload(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }
  async #look(): Promise<void> {
    let changed = false
    for (const [name, entry] of this.#entries) if (await this.#renew(name, entry)) changed = true
    if (changed) for (const call of this.#listeners) call()
  }
  async #renew(name: string, entry: Entry): Promise<boolean> {
    const state = await stateOf(entry.files)
    if (state === entry.state || state === this.#refused.get(name)) return false
    try {
      this.#entries.set(name, { files: entry.files, pair: await load(entry.files), state })
      this.#refused.delete(name)
      return true
    } catch (error) {
      // Chain and key are two files, so a renewal is half done for a moment; the next look finds the rest.
      this.#refused.set(name, state)
      this.#options.onError?.(error as Error)
      return false
    }
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }
}

/**
 * Certificates from PEM files, renewed when the files change. Rejects when a file is missing, unreadable or not PEM, or when a
 * key does not belong to its certificate; later, such a change is reported and the old pair stays.
 */
export const fileCertificates = async (o: FileCertificatesOptions): Promise<FileCertificates> => {
  const entries = new Map<string, Entry>()
  const all: [string, PairFiles][] = [['', o.default], ...Object.entries(o.byName ?? {})]
  for (const [name, files] of all) {
    const state = await stateOf(files)
    entries.set(name.toLowerCase(), { files, pair: await load(files), state })
  }
  return new WatchedFiles(entries, o)
}
