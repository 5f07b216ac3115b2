import { asMaildirError, MaildirError } from './error.ts'
import { writeAll } from './files.ts'
import type { Maildir } from './maildir.ts'
import { messageBase } from './name.ts'
import { withUnixLines } from './unix-lines.ts'

/** A message's bytes: in memory, in pieces that are written without a copy, or as a stream that is read no faster than the disk writes. */
export type Content = readonly Uint8Array[] | AsyncIterable<Uint8Array>

export interface DeliverOptions {
  /** `keep` writes the bytes as they are; `lf` turns each CRLF into LF, as programs of Unix expect. `keep` when absent. */
  readonly lines?: 'keep' | 'lf'
  /** Asked between the chunks of a stream, and before the message appears. */
  readonly signal?: AbortSignal
}

/** How much of a stream is gathered for one write; bounds the memory of a delivery. */
const GATHER = 256 * 1024

const isInMemory = (content: Content): content is readonly Uint8Array[] => Array.isArray(content)

/** What the source throws is not the disk's word: a missing file behind it must not read as a missing Maildir. */
async function* fromSource(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* content
  } catch (error) {
    throw new MaildirError('source', `deliver: the content could not be read: ${String(error)}`, error)
  }
}

/**
 * A message on its way into `new`: `write`, then `sync`, then `move`. No step rejects; one that fails takes the file away and says why in
 * `error`, and the steps after it do nothing. In `new` it is still not on stable storage: the directory is synced by the caller.
 */
export class Arrival {
  readonly #maildir: Maildir
  readonly #content: Content
  readonly #options: DeliverOptions
  readonly #unique: string
  readonly #tmp: string
  /** Open while it is being written. */
  #fd: number | undefined
  #created = false
  /** Octets written. */
  size = 0
  /** Its name in `new`; empty before it is there. */
  file = ''
  error: MaildirError | undefined

  constructor(maildir: Maildir, content: Content, options: DeliverOptions) {
    this.#maildir = maildir
    this.#content = options.lines === 'lf' ? withUnixLines(content) : content
    this.#options = options
    this.#unique = maildir.names.next()
    this.#tmp = `${maildir.path}/tmp/${this.#unique}`
  }

  /** Whether it is read bit by bit. */
  get isStream(): boolean {
    return !isInMemory(this.#content)
  }

  /** All of it into `tmp`. */
  async write(): Promise<void> {
    const { files } = this.#maildir
    const content = this.#content
    try {
      this.#options.signal?.throwIfAborted()
      const fd = await files.create(this.#tmp)
      this.#created = true
      this.#fd = fd
      this.size = isInMemory(content) ? await writeAll(files, fd, content) : await this.#writeStream(fd, content)
    } catch (error) {
      await this.#fail(error)
    }
  }

  /** The content is durable afterwards, if the Maildir wants that; and closed. */
  async sync(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined) return
    const { files, sync } = this.#maildir
    try {
      if (sync) await files.sync(fd)
      this.#fd = undefined
      // A failed close is a failed write on some network disks.
      await files.close(fd)
    } catch (error) {
      await this.#fail(error)
    }
  }

  /** From `tmp` to `new`, where readers see it. */
  async move(): Promise<void> {
    if (this.error !== undefined) return
    const { files, path } = this.#maildir
    try {
      this.#options.signal?.throwIfAborted()
      const file = messageBase(this.#unique, { size: this.size })
      // Names are unique by construction, so this replaces nothing.
      await files.rename(this.#tmp, `${path}/new/${file}`)
      this.file = file
    } catch (error) {
      await this.#fail(error)
    }
  }

  /** A message that may vanish was not delivered: take it away again, so that the next try leaves no second one. */
  async withdraw(error: MaildirError): Promise<void> {
    if (this.error !== undefined) return
    this.error = error
    await this.#discard(`${this.#maildir.path}/new/${this.file}`)
  }

  async #writeStream(fd: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    const { files } = this.#maildir
    let size = 0
    let waiting: Uint8Array[] = []
    let waitingSize = 0
    for await (const chunk of fromSource(content)) {
      this.#options.signal?.throwIfAborted()
      if (chunk.byteLength === 0) continue
      waiting.push(chunk)
      waitingSize += chunk.byteLength
      if (waitingSize < GATHER) continue
      size += await writeAll(files, fd, waiting)
      waiting = []
      waitingSize = 0
    }
    return size + (await writeAll(files, fd, waiting))
  }

  async #fail(error: unknown): Promise<void> {
    const aborted = this.#options.signal?.aborted === true
    this.error = aborted ? new MaildirError('aborted', 'deliver: aborted', error) : asMaildirError(error, 'deliver')
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) await this.#maildir.files.close(fd).catch(() => {})
    if (this.#created) await this.#discard(this.#tmp)
  }

  /** Best effort: what stays behind in `tmp` is never listed, and the cleaner takes it. */
  #discard(path: string): Promise<void> {
    return this.#maildir.files.unlink(path).catch(() => {})
  }
}
