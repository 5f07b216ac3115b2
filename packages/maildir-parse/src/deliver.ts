import { join } from 'node:path'
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

/** A message that is on stable storage (unless the Maildir was opened with `sync: false`). */
export interface Delivered {
  /** Its file name in `new`. */
  readonly file: string
  /** Octets of the file. */
  readonly size: number
}

/** One result of a batch. */
export type Delivery = ({ readonly ok: true } & Delivered) | { readonly ok: false; readonly error: MaildirError }

/** How much of a stream is gathered for one write; bounds the memory of a delivery. */
const GATHER = 256 * 1024
/** Deliveries of a batch at a time: as many as fill the four threads that Node gives to the disk, and wait for them. */
const AT_ONCE = 8

/** What the source throws is not the disk's word: a missing file behind it must not read as a missing Maildir. */
async function* fromSource(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* content
  } catch (error) {
    throw new MaildirError('source', `deliver: the content could not be read: ${String(error)}`, error)
  }
}

const writeStream = async (
  maildir: Maildir,
  fd: number,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<number> => {
  let size = 0
  let waiting: Uint8Array[] = []
  let waitingSize = 0
  for await (const chunk of fromSource(content)) {
    signal?.throwIfAborted()
    if (chunk.byteLength === 0) continue
    waiting.push(chunk)
    waitingSize += chunk.byteLength
    if (waitingSize < GATHER) continue
    size += await writeAll(maildir.files, fd, waiting)
    waiting = []
    waitingSize = 0
  }
  return size + (await writeAll(maildir.files, fd, waiting))
}

/** Fill the new file and make its content durable; closes it. */
const fill = async (maildir: Maildir, fd: number, content: Content, signal?: AbortSignal): Promise<number> => {
  const { files } = maildir
  try {
    const size = Array.isArray(content)
      ? await writeAll(files, fd, content as readonly Uint8Array[])
      : await writeStream(maildir, fd, content as AsyncIterable<Uint8Array>, signal)
    if (maildir.sync) await files.sync(fd)
    return size
  } finally {
    // A failed close is a failed write on some network disks.
    await files.close(fd)
  }
}

/** Best effort: what stays behind in `tmp` is never listed, and the cleaner takes it. */
const discard = (maildir: Maildir, path: string): Promise<void> => maildir.files.unlink(path).catch(() => {})

/** All but the last sync: the message is in `new`, but a power cut may still take it away. */
const place = async (maildir: Maildir, content: Content, o: DeliverOptions): Promise<Delivered> => {
  const unique = maildir.names.next()
  const tmp = join(maildir.path, 'tmp', unique)
  let created = false
  try {
    o.signal?.throwIfAborted()
    const fd = await maildir.files.create(tmp)
    created = true
    const size = await fill(maildir, fd, o.lines === 'lf' ? withUnixLines(content) : content, o.signal)
    o.signal?.throwIfAborted()
    const file = messageBase(unique, { size })
    // Names are unique by construction, so this replaces nothing.
    await maildir.files.rename(tmp, join(maildir.path, 'new', file))
    return { file, size }
  } catch (error) {
    if (created) await discard(maildir, tmp)
    throw o.signal?.aborted === true
      ? new MaildirError('aborted', 'deliver: aborted', error)
      : asMaildirError(error, 'deliver')
  }
}

/** A message that may vanish was not delivered; take it away, so that the next try leaves no second one. */
const withdraw = async (maildir: Maildir, delivered: readonly Delivered[], error: unknown): Promise<MaildirError> => {
  for (const { file } of delivered) await discard(maildir, join(maildir.path, 'new', file))
  return asMaildirError(error, 'sync new')
}

/**
 * Deliver one message: written to `tmp`, synced, moved to `new`, and `new` synced, the last together with other deliveries under way.
 * The message is ours from the moment this resolves. Rejects with MaildirError; then it is not in `new`,
 * unless the disk failed at the very last step and refused to take it away again.
 */
export const deliver = async (maildir: Maildir, content: Content, options: DeliverOptions = {}): Promise<Delivered> => {
  const delivered = await place(maildir, content, options)
  if (!maildir.sync) return delivered
  try {
    await maildir.newSync.join()
  } catch (error) {
    throw await withdraw(maildir, [delivered], error)
  }
  return delivered
}

/** Deliver several with one sync of `new`. One result each, in their order; never rejects. */
export const deliverBatch = async (
  maildir: Maildir,
  contents: readonly Content[],
  options: DeliverOptions = {},
): Promise<readonly Delivery[]> => {
  const results: Delivery[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < contents.length; i = next++) {
      try {
        results[i] = { ok: true, ...(await place(maildir, contents[i] ?? [], options)) }
      } catch (error) {
        results[i] = { ok: false, error: asMaildirError(error, 'deliver') }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, contents.length) }, worker))
  const placed = results.filter(r => r.ok)
  if (!maildir.sync || placed.length === 0) return results
  try {
    await maildir.newSync.join()
    return results
  } catch (error) {
    const failed: Delivery = { ok: false, error: await withdraw(maildir, placed, error) }
    return results.map(r => (r.ok ? failed : r))
  }
}
