import { parseHeaders } from '@posthorn/message'
import type { Headers } from '@posthorn/message'
import { reportParts } from './mime-parts.ts'
import { originalHeaders } from './parse.ts'

/** Somebody who got a message complains of it (ARF, RFC 5965). All text is the reporter's: untrusted. */
export interface ReadComplaint {
  /** `abuse`, `fraud`, `virus`, `not-spam`, `other`, … */
  readonly type: string
  readonly userAgent: string | undefined
  /** The return path, without its angle brackets. */
  readonly mailFrom: string | undefined
  readonly recipients: readonly string[]
  /** The header section of the message that it is about. */
  readonly original: Headers | undefined
}

const MOST_RECIPIENTS = 20

const address = (value: string | undefined): string | undefined =>
  value
    ?.trim()
    .replace(/^<(.*)>$/, '$1')
    .slice(0, 500)

/** Read a feedback report; undefined when the message is none. */
export const readComplaint = (message: Uint8Array): ReadComplaint | undefined => {
  const parts = reportParts(message, 'feedback-report')
  const part = parts?.find(({ type }) => type === 'message/feedback-report')
  if (parts === undefined || part === undefined) return undefined
  const fields = parseHeaders(part.content)
  return {
    type: fields.first('feedback-type')?.trim().toLowerCase().slice(0, 40) ?? 'other',
    userAgent: fields.first('user-agent')?.slice(0, 200),
    mailFrom: address(fields.first('original-mail-from')),
    recipients: fields
      .all('original-rcpt-to')
      .slice(0, MOST_RECIPIENTS)
      .flatMap(value => address(value) ?? []),
    original: originalHeaders(parts),
  }
}
