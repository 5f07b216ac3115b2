import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { asMaildirError } from './error.ts'
import type { MaildirEntry } from './list.ts'
import type { Maildir } from './maildir.ts'
import { onMessage } from './moved.ts'

const CHUNK = 64 * 1024
/** More header than any server takes; what follows is not read. */
const HEADER_LIMIT = 256 * 1024
const LF = 10
const CR = 13

const openFile = (maildir: Maildir, entry: MaildirEntry): Promise<FileHandle> =>
  onMessage(maildir, entry, 'read', path => open(path, constants.O_RDONLY | constants.O_NOFOLLOW))

async function* chunks(file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

/**
 * A message's bytes as they lie on the disk, in chunks of at most 64 KiB that belong to the caller; no more than one is held.
 * The file is closed when the loop over it ends. Rejects with MaildirError, or the signal's reason.
 */
export async function* readMessage(
  maildir: Maildir,
  entry: MaildirEntry,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array> {
  const file = await openFile(maildir, entry)
  try {
    yield* chunks(file, options.signal)
  } catch (error) {
    throw options.signal?.aborted === true ? error : asMaildirError(error, 'read')
  } finally {
    await file.close()
  }
}

/** Just after the empty line that ends the header block, whichever line ending it has; -1 when there is none yet. */
const headerEnd = (bytes: Uint8Array, from: number): number => {
  if (from === 0 && bytes[0] === LF) return 1
  if (from === 0 && bytes[0] === CR && bytes[1] === LF) return 2
  for (let lf = bytes.indexOf(LF, from); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf + 1] === LF) return lf + 2
    if (bytes[lf + 1] === CR && bytes[lf + 2] === LF) return lf + 3
  }
  return -1
}

/**
 * A message's header block with its empty line, and no more of the file than that takes. A block over `limit` octets (256 KiB when
 * absent) is cut there; a message without an empty line is all header.
 */
export const readHeader = async (
  maildir: Maildir,
  entry: MaildirEntry,
  options: { readonly limit?: number; readonly signal?: AbortSignal } = {},
): Promise<Uint8Array> => {
  const limit = options.limit ?? HEADER_LIMIT
  let block: Buffer = Buffer.alloc(0)
  for await (const chunk of readMessage(maildir, entry, options)) {
    const searched = Math.max(0, block.byteLength - 3)
    block = block.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([block, chunk])
    const end = headerEnd(block, searched)
    if (end !== -1) return block.subarray(0, Math.min(end, limit))
    if (block.byteLength >= limit) break
  }
  return block.subarray(0, limit)
}

/** Octets of the message: from its name, else from the disk. */
export const messageSize = async (maildir: Maildir, entry: MaildirEntry): Promise<number> => {
  if (entry.name.size !== undefined) return entry.name.size
  const file = await openFile(maildir, entry)
  try {
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}
