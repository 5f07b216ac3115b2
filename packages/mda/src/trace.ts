import type { Mailbox } from '@posthorn/address'
import { headerEnd, piecesOf, renderHeaders, utf8, type Body, type HeaderField, type Headers } from '@posthorn/message'

/** How much of a message is looked at for trace fields; a longer header block is searched so far. */
const LOOK_AT = 256 * 1024
/** A Return-Path is one address: folded over more than this it is something else, and stays. */
const RETURN_PATH_LIMIT = 2048

const LF = 10
const SPACE = 32
const TAB = 9

// oxlint-disable-next-line no-control-regex -- these are what is refused
const CONTROL = /[\x00-\x1f\x7f]/

/** Whether an address can stand in a header line: nothing in it can begin another. */
export const isOneLine = (address: Mailbox | null): boolean => address === null || !CONTROL.test(address.wire)

/** The fields that final delivery puts on top (RFC 5321 §4.4 for the first), then `more`, which must be whole lines. */
export const traceLines = (returnPath: Mailbox | null, to: Mailbox, more: string): Uint8Array =>
  utf8(`Return-Path: <${returnPath?.wire ?? ''}>\r\nDelivered-To: ${to.wire}\r\n${more}`)

/** The message up to the end of its header block, or as far as is looked at. Reads no more than it must. */
export const readHead = async (body: Body, signal: AbortSignal): Promise<Uint8Array> => {
  const [first, second] = piecesOf(body) ?? []
  // Mostly the header block is a piece by itself.
  if (first !== undefined && (second === undefined || headerEnd(first) !== -1)) return first.subarray(0, LOOK_AT)
  if (body.bytes !== undefined) return body.bytes.subarray(0, LOOK_AT)
  let head: Uint8Array = new Uint8Array(0)
  for await (const chunk of body.open(signal)) {
    const searched = head.byteLength
    head = searched === 0 ? chunk : Buffer.concat([head, chunk])
    if (head.byteLength >= LOOK_AT || headerEnd(head, searched) !== -1) break
  }
  return head.subarray(0, LOOK_AT)
}

const standsAt = (bytes: Uint8Array, name: string, at = 0): boolean => {
  for (let i = 0; i < name.length; i++) if (((bytes[at + i] ?? 0) | 0x20) !== (name.charCodeAt(i) | 0x20)) return false
  return true
}

/** Octets of a Return-Path that stands first, to be replaced by ours; 0 when there is none. One further down is not ours to judge. */
export const oldReturnPath = (head: Uint8Array): number => {
  if (!standsAt(head, 'return-path:')) return 0
  let end = head.indexOf(LF) + 1
  while (end > 0 && (head[end] === SPACE || head[end] === TAB)) end = head.indexOf(LF, end) + 1
  return end > RETURN_PATH_LIMIT ? 0 : end
}

const isNote = ({ name }: HeaderField): boolean => /^(?:return-path|delivered-to)$/i.test(name)

/**
 * A header block as it came by LMTP, without the Return-Path and Delivered-To above its newest trace field. They tell of the delivery that
 * is handed over to us, and would look like a loop: OpenSMTPD writes both, Postfix does when asked. We write our own.
 */
export const withoutNotes = (headers: Headers): Uint8Array => {
  const bytes = renderHeaders(headers)
  const traced = headers.names().indexOf('received')
  const above = traced === -1 ? [] : headers.fields.slice(0, traced)
  if (!above.some(isNote)) return bytes
  const kept = above.filter(field => !isNote(field)).map(field => field.raw)
  const end = above.reduce((octets, field) => octets + field.raw.byteLength, 0)
  return Buffer.concat([...kept, bytes.subarray(end)])
}

const sameText = (value: string, to: Mailbox): boolean => {
  const at = to.wire.lastIndexOf('@')
  return (
    value.length === to.wire.length &&
    value.slice(0, at) === to.wire.slice(0, at) &&
    value.slice(at).toLowerCase() === to.wire.slice(at).toLowerCase()
  )
}

const deliveredTo = 'delivered-to:'

/** The message was delivered to exactly this address before: a loop (as Postfix and qmail find it). */
export const wasDeliveredTo = (head: Uint8Array, to: Mailbox): boolean => {
  const blockEnd = headerEnd(head)
  const end = blockEnd === -1 ? head.byteLength : blockEnd
  // Line by line in octets: to make a text of it all would cost more than the rest.
  for (let at = 0; at < end;) {
    const lf = head.indexOf(LF, at)
    const next = lf === -1 ? end : lf + 1
    if (standsAt(head, deliveredTo, at)) {
      const value = Buffer.from(head.buffer, head.byteOffset + at, next - at).toString('utf8', deliveredTo.length)
      if (sameText(value.trim(), to)) return true
    }
    at = next
  }
  return false
}

/** The message without its first octets, with `lines` before it; a stream stays a stream, and bytes are not copied. */
export const withLines = (
  lines: Uint8Array,
  body: Body,
  skip: number,
  signal: AbortSignal,
): readonly Uint8Array[] | AsyncIterable<Uint8Array> => {
  const pieces = piecesOf(body)
  if (pieces === undefined) return streamed(lines, body, skip, signal)
  const written = [lines]
  let skipped = 0
  for (const piece of pieces) {
    const from = Math.min(skip - skipped, piece.byteLength)
    skipped += from
    if (from < piece.byteLength) written.push(from === 0 ? piece : piece.subarray(from))
  }
  return written
}

async function* streamed(lines: Uint8Array, body: Body, skip: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield lines
  let read = 0
  for await (const chunk of body.open(signal)) {
    const from = Math.max(0, skip - read)
    read += chunk.byteLength
    yield chunk.subarray(Math.min(from, chunk.byteLength))
  }
  // A spool file that was cut short must not be delivered as if it were the message.
  if (read !== body.size) throw new RangeError(`the message has ${read} octets where ${body.size} were promised`)
}
