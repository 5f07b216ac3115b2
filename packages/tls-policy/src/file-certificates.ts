import { readFile, stat } from 'node:fs/promises'
import { systemClock } from '@posthorn/system'
import type { CertificatePair, Certificates, Clock } from '@posthorn/contracts'
import { foundFor, namesOf } from './names.ts'
import { checkPair } from './pair.ts'

/** Paths of PEM files: the chain, leaf first, and its key. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
  /** The server names for which it is shown, each of which it must bear; all that it bears when absent. `*.example.org` stands for one label. */
  readonly names?: readonly string[] | undefined
}

export interface FileCertificatesOptions {
  /** The first is shown where no name is given, or none that any of them has; of two that have a name, the earlier. */
  readonly pairs: readonly [PairFiles, ...PairFiles[]]
  /** The system's when absent. */
  readonly clock?: Clock
  /** How often the files are looked at; 30 seconds when absent. */
  readonly pollMs?: number
  /** Told once of each new state of the files that cannot serve; the pair from before stays in use. */
  readonly onError?: (error: Error) => void
  /** Told of each pair that took the place of another. */
  readonly onRenewed?: (pair: CertificatePair, files: PairFiles) => void
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
  readonly names: readonly string[]
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

const load = async (files: PairFiles): Promise<Entry> => {
  const state = await stateOf(files)
  const certPem = await fromFile(files.cert, path => readFile(path, 'utf8'))
  const keyPem = await fromFile(files.key, path => readFile(path, 'utf8'))
  const pair = checkPair({ certPem, keyPem }, files.cert, files.key)
  const borne = namesOf(certPem)
  const known = new Map(borne.map(name => [name, true]))
  const names = files.names?.map(name => name.toLowerCase()) ?? borne
  const foreign = names.find(name => foundFor(known, name) === undefined)
  if (foreign !== undefined)
    throw new Error(`${files.cert} does not bear the name ${foreign}; it bears ${borne.join(', ') || 'none'}`)
  return { files, pair, names, state }
}

/** An earlier pair goes before a later one. */
const indexed = (entries: readonly Entry[]): ReadonlyMap<string, CertificatePair> =>
  new Map(entries.toReversed().flatMap(({ names, pair }) => names.map(name => [name, pair] as const)))

class WatchedFiles implements FileCertificates {
  #entries: readonly [Entry, ...Entry[]]
  #byName: ReadonlyMap<string, CertificatePair>
  /** The state of files that were found unusable. */
  readonly #refused = new Map<PairFiles, string>()
  readonly #options: FileCertificatesOptions
  readonly #listeners = new Set<() => void>()
  #cancel: () => void = () => {}
  #closed = false
  #looking: Promise<void> | undefined

  constructor(entries: readonly [Entry, ...Entry[]], options: FileCertificatesOptions) {
    this.#entries = entries
    this.#byName = indexed(entries)
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
    return foundFor(this.#byName, sni?.toLowerCase() ?? '') ?? this.#entries[0].pair
  }
  get sameForAll(): boolean {
    return this.#entries.length === 1
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
  /** All that changed takes effect at one moment. */
  async #look(): Promise<void> {
    const [first, ...others] = this.#entries
    const entries: [Entry, ...Entry[]] = [await this.#renewed(first)]
    for (const entry of others) entries.push(await this.#renewed(entry))
    const before: readonly Entry[] = this.#entries
    const fresh = entries.filter((entry, i) => entry !== before[i])
    if (fresh.length === 0) return
    this.#entries = entries
    this.#byName = indexed(entries)
    for (const { pair, files } of fresh) this.#options.onRenewed?.(pair, files)
    for (const call of this.#listeners) call()
  }
  async #renewed(entry: Entry): Promise<Entry> {
    const { files } = entry
    const state = await stateOf(files)
    if (state === entry.state || state === this.#refused.get(files)) return entry
    try {
      const fresh = await load(files)
      this.#refused.delete(files)
      return fresh
    } catch (error) {
      // Chain and key are two files, so a renewal is half done for a moment; the next look finds the rest.
      this.#refused.set(files, state)
      this.#options.onError?.(error as Error)
      return entry
    }
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }
}

/**
 * Certificates from PEM files, renewed when the files change. Rejects when a file is missing, unreadable or not PEM, when a key does not
 * belong to its certificate, or when that does not bear a name; later, such a change is reported and the old pair stays.
 */
export const fileCertificates = async (o: FileCertificatesOptions): Promise<FileCertificates> => {
  const [first, ...others] = o.pairs
  const entries: [Entry, ...Entry[]] = [await load(first)]
  for (const files of others) entries.push(await load(files))
  return new WatchedFiles(entries, o)
}
