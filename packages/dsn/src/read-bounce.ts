import { headerEnd, parseHeaders, utf8 } from '@posthorn/message'
import type { Headers } from '@posthorn/message'
import { readBounceText } from './bounce-text.ts'
import type { Failure } from './classify.ts'
import { mimeParts, parameterOf, partOf } from './mime-parts.ts'
import { originalHeaders, parseReport } from './parse.ts'
import type { ReadRecipient } from './parse.ts'

/** A bounce that came in, in whatever form. All text in it is its writer's: untrusted. */
export interface ReadBounce {
  readonly form: 'dsn' | 'qmail' | 'exim' | 'exchange'
  readonly reportingMta: string | undefined
  readonly envid: string | undefined
  readonly recipients: readonly ReadRecipient[]
  /** The header section of the message that it is about, when it came along. */
  readonly original: Headers | undefined
}

const LONGEST_TEXT = 128 * 1024

/** The parts of a multipart, or the message as its only part. */
const partsOf = (message: Uint8Array): ReturnType<typeof mimeParts> => {
  const end = headerEnd(message)
  if (end === -1) return []
  const contentType = parseHeaders(message.subarray(0, end)).first('content-type') ?? ''
  if (!/^\s*multipart\//i.test(contentType)) return [partOf(message)]
  return mimeParts(message.subarray(end), parameterOf(contentType, 'boundary') ?? '')
}

/**
 * Read a bounce: a delivery status notification (RFC 3464), or what qmail, Exim and old Exchange write for people; undefined when it is none that is
 * known. Work is linear and what is kept is bounded.
 */
export const readBounce = (message: Uint8Array): ReadBounce | undefined => {
  const report = parseReport(message)
  if (report !== undefined) return { form: 'dsn', ...report }
  const parts = partsOf(message)
  const text = parts.find(part => part.type === 'text/plain')
  if (text === undefined) return undefined
  const lines = new TextDecoder('latin1').decode(text.content.subarray(0, LONGEST_TEXT)).replaceAll('\r\n', '\n')
  const read = readBounceText(lines)
  if (read === undefined) return undefined
  const original =
    read.original === undefined
      ? originalHeaders(parts)
      : parseHeaders(utf8(`${read.original.split('\n\n', 1)[0] ?? ''}\n\n`.replaceAll('\n', '\r\n')))
  return { form: read.form, reportingMta: undefined, envid: undefined, recipients: read.recipients, original }
}

/** What a bounce says of a recipient, for `classify`: the reply that it quotes, or else its status. */
export const failureOf = ({ status, diagnostic = '', remoteMta }: ReadRecipient): Failure => {
  const [, code, said = ''] = /(?:^|[^\d.])([45]\d\d)[ -](?:[45]\.\d{1,3}\.\d{1,3}\b)?(.*)$/s.exec(diagnostic) ?? []
  const remote = remoteMta === undefined ? undefined : { remote: remoteMta }
  if (code === undefined) return { status, cause: diagnostic, ...remote }
  return { reply: { code: Number(code), enhanced: status, lines: [said.trim()] }, ...remote }
}
