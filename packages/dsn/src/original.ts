import { headerEnd, joinBytes } from '@posthorn/message'
import type { Body } from '@posthorn/message'

/** What of the message goes back in a report. */
export interface Original {
  /** The header block, cut if it is beyond all reason. */
  readonly headers: Uint8Array
  /** Head and body, when all of it is to go back. */
  readonly whole?: Uint8Array
}

/** Octets of a header block that are returned at most. */
const MOST_HEADERS = 64 * 1024

/** The first octets of a body, up to `limit`. */
export const readUpTo = async (body: Body, limit: number, signal?: AbortSignal): Promise<Uint8Array> => {
  if (body.bytes !== undefined) return body.bytes.subarray(0, limit)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.open(signal)) {
    chunks.push(chunk.subarray(0, limit - size))
    size += chunk.byteLength
    if (size >= limit) break
  }
  return joinBytes(chunks)
}

/** The header block of a message, with its empty line; at the cut, whole lines only. */
const headersOf = (start: Uint8Array): Uint8Array => {
  const end = headerEnd(start)
  if (end !== -1) return start.subarray(0, end)
  return start.subarray(0, start.lastIndexOf(10) + 1)
}

/**
 * Read what a report returns: the whole message when the sender asked for it with RET=FULL, or did not say, and it has no more
 * than `limit` octets (RFC 3461 §4.3 leaves the default to us); its headers otherwise. Reads no more than needed.
 */
export const originalOf = async (
  body: Body,
  o: {
    readonly ret?: 'full' | 'hdrs' | undefined
    /** Octets of a whole message, at most; 64 KiB when absent. */
    readonly limit?: number
    /** Octets of a header block, at most; 64 KiB when absent. */
    readonly headers?: number
    readonly signal?: AbortSignal
  } = {},
): Promise<Original> => {
  const limit = o.limit ?? 64 * 1024
  const wanted = o.ret !== 'hdrs' && body.size <= limit
  const most = o.headers ?? MOST_HEADERS
  const start = await readUpTo(body, wanted ? limit : most, o.signal)
  const headers = headersOf(start.subarray(0, most))
  return wanted ? { headers, whole: start } : { headers }
}

/** How bytes can travel: as they are in 7 or 8 bits, or not without an encoding (NUL, bare CR or LF, RFC 5322 §2.1.1). */
export const bitsOf = (bytes: Uint8Array): '7bit' | '8bit' | 'binary' => {
  let eight = false
  let lineStart = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0
    if (byte > 127) eight = true
    else if (byte === 10) {
      if (bytes[at - 1] !== 13 || at - 1 - lineStart > 998) return 'binary'
      lineStart = at + 1
    } else if (byte === 0 || (byte === 13 && bytes[at + 1] !== 10)) return 'binary'
  }
  if (bytes.length - lineStart > 998) return 'binary'
  return eight ? '8bit' : '7bit'
}
