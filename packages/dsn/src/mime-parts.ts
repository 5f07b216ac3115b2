import { headerEnd, parseHeaders, utf8 } from '@posthorn/message'
import type { Headers } from '@posthorn/message'
import { decodeQuotedPrintable } from './quoted-printable.ts'

/** One body part of a multipart, its transfer encoding undone. */
export interface MimePart {
  readonly headers: Headers
  /** Lower case, without parameters; `text/plain` when absent (RFC 2045 §5.2). */
  readonly type: string
  readonly content: Uint8Array
}

/** Parts looked at, at most: a report has three. */
const MOST_PARTS = 20

/** A parameter of a Content-Type value, unquoted. */
export const parameterOf = (value: string, name: string): string | undefined => {
  const found = new RegExp(`;\\s*${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, 'i').exec(
    value.slice(0, 2000),
  )
  return found?.[1]?.replaceAll(/\\(.)/g, '$1') ?? found?.[2]
}

const typeOf = (headers: Headers): string =>
  (headers.first('content-type') ?? 'text/plain').slice(0, 200).split(';', 1)[0]?.trim().toLowerCase() ?? ''

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const VALUES = new Map(Array.from(DIGITS, (digit, value) => [digit.charCodeAt(0), value]))

const decodeBase64 = (bytes: Uint8Array): Uint8Array => {
  const decoded = new Uint8Array(Math.ceil((bytes.length * 3) / 4))
  let size = 0
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    const value = VALUES.get(byte)
    if (value === undefined) continue
    held = ((held << 6) | value) & 0xffffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    decoded[size++] = (held >> bits) & 255
  }
  return decoded.subarray(0, size)
}

/** One entity: its header section and what follows, decoded. */
export const partOf = (bytes: Uint8Array): MimePart => {
  const end = headerEnd(bytes)
  const headers = parseHeaders(end === -1 ? bytes : bytes.subarray(0, end))
  const content = end === -1 ? new Uint8Array(0) : bytes.subarray(end)
  const encoding = headers.first('content-transfer-encoding')?.toLowerCase()
  const type = typeOf(headers)
  if (encoding === 'quoted-printable') return { headers, type, content: decodeQuotedPrintable(content) }
  if (encoding === 'base64') return { headers, type, content: decodeBase64(content) }
  return { headers, type, content }
}

const startsWith = (bytes: Uint8Array, at: number, prefix: Uint8Array): boolean =>
  at + prefix.length <= bytes.length && prefix.every((byte, i) => bytes[at + i] === byte)

/** The delimiter line at `at`: whether it is the last one; undefined when the line is none (a longer boundary, say). */
const delimiterAt = (bytes: Uint8Array, at: number, delimiter: Uint8Array): { readonly last: boolean } | undefined => {
  if (!startsWith(bytes, at, delimiter)) return undefined
  let next = at + delimiter.length
  const last = bytes[next] === 45 && bytes[next + 1] === 45
  if (last) next += 2
  while (bytes[next] === 32 || bytes[next] === 9) next += 1
  const ends = next >= bytes.length || bytes[next] === 10 || (bytes[next] === 13 && bytes[next + 1] === 10)
  return ends ? { last } : undefined
}

/** The parts of a multipart body (RFC 2046 §5.1.1), the first twenty. One pass over the lines; nested multiparts stay closed. */
export const mimeParts = (body: Uint8Array, boundary: string): readonly MimePart[] => {
  const parts: MimePart[] = []
  if (boundary === '' || boundary.length > 70) return parts
  const delimiter = utf8(`--${boundary}`)
  let from = -1
  let at = 0
  while (at < body.length && parts.length < MOST_PARTS) {
    const line = body.indexOf(10, at)
    const next = line === -1 ? body.length : line + 1
    const found = delimiterAt(body, at, delimiter)
    if (found !== undefined) {
      // The CRLF before a delimiter belongs to it.
      if (from !== -1) parts.push(partOf(body.subarray(from, Math.max(from, at - (body[at - 2] === 13 ? 2 : 1)))))
      if (found.last) return parts
      from = next
    }
    at = next
  }
  if (from !== -1 && parts.length < MOST_PARTS) parts.push(partOf(body.subarray(from)))
  return parts
}

/** The parts of a report of that type (RFC 6522 §3); undefined when the message is none. */
export const reportParts = (message: Uint8Array, reportType: string): readonly MimePart[] | undefined => {
  const end = headerEnd(message)
  if (end === -1) return undefined
  const headers = parseHeaders(message.subarray(0, end))
  const contentType = headers.first('content-type') ?? ''
  if (typeOf(headers) !== 'multipart/report') return undefined
  if (parameterOf(contentType, 'report-type')?.toLowerCase() !== reportType) return undefined
  return mimeParts(message.subarray(end), parameterOf(contentType, 'boundary') ?? '')
}
