import { headerEnd, parseHeaders } from '@posthorn/message'
import type { Headers } from '@posthorn/message'
import { reportParts } from './mime-parts.ts'
import type { MimePart } from './mime-parts.ts'
import type { Action } from './notify.ts'

/** What a report says of one recipient. All text is the reporter's: untrusted. */
export interface ReadRecipient {
  /** The address without its type, as written. */
  readonly finalRecipient: string
  readonly originalRecipient?: string
  readonly action: Action
  readonly status: string
  readonly remoteMta?: string
  readonly diagnostic?: string
}

/** A delivery report that came in. */
export interface ReadReport {
  readonly reportingMta: string | undefined
  readonly envid: string | undefined
  readonly recipients: readonly ReadRecipient[]
  /** The header section of the message that the report is about, when it came along. */
  readonly original: Headers | undefined
}

/** Recipients read, at most. */
const MOST_RECIPIENTS = 1000

/** The value behind `type;`. */
const untyped = (value: string | undefined): string | undefined =>
  value === undefined
    ? undefined
    : value
        .slice(value.indexOf(';') + 1)
        .trim()
        .slice(0, 1000)

const isAction = (text: string): text is Action =>
  ['failed', 'delayed', 'delivered', 'relayed', 'expanded'].includes(text)

const recipientOf = (group: Headers): ReadRecipient | undefined => {
  const finalRecipient = untyped(group.first('final-recipient'))
  const action = group.first('action')?.toLowerCase() ?? ''
  const status = /^\s*([245]\.\d{1,3}\.\d{1,3})/.exec(group.first('status') ?? '')?.[1]
  if (finalRecipient === undefined || !isAction(action) || status === undefined) return undefined
  const originalRecipient = untyped(group.first('original-recipient'))
  const remoteMta = untyped(group.first('remote-mta'))
  const diagnostic = untyped(group.first('diagnostic-code'))
  return {
    finalRecipient,
    action,
    status,
    ...(originalRecipient !== undefined && { originalRecipient }),
    ...(remoteMta !== undefined && { remoteMta }),
    ...(diagnostic !== undefined && { diagnostic }),
  }
}

/** The groups of fields, divided by empty lines (RFC 3464 §2.1). */
const groupsOf = (content: Uint8Array): readonly Headers[] => {
  const groups: Headers[] = []
  let at = 0
  while (at < content.length && groups.length <= MOST_RECIPIENTS) {
    const end = headerEnd(content.subarray(at))
    const next = end === -1 ? content.length : at + end
    const group = parseHeaders(content.subarray(at, next))
    if (group.names().length > 0) groups.push(group)
    at = next
  }
  return groups
}

const ORIGINALS: ReadonlySet<string> = new Set([
  'message/rfc822',
  'message/global',
  'text/rfc822-headers',
  'message/global-headers',
])

/** The header section of the message that a report returns, when there is one among its parts. */
export const originalHeaders = (parts: readonly MimePart[]): Headers | undefined => {
  const part = parts.find(({ type }) => ORIGINALS.has(type))
  if (part === undefined) return undefined
  const end = headerEnd(part.content)
  return parseHeaders(end === -1 ? part.content : part.content.subarray(0, end))
}

/**
 * Read a delivery status notification (RFC 3464, RFC 6533); undefined when the message is none, or says nothing of any
 * recipient. Work is linear and what is kept is bounded.
 */
export const parseReport = (message: Uint8Array): ReadReport | undefined => {
  const parts = reportParts(message, 'delivery-status')
  const status = parts?.find(p => p.type === 'message/delivery-status' || p.type === 'message/global-delivery-status')
  if (parts === undefined || status === undefined) return undefined
  const [whole, ...groups] = groupsOf(status.content)
  const recipients = groups.map(recipientOf).filter(recipient => recipient !== undefined)
  if (recipients.length === 0) return undefined
  return {
    reportingMta: untyped(whole?.first('reporting-mta')),
    envid: whole?.first('original-envelope-id')?.slice(0, 200),
    recipients,
    original: originalHeaders(parts),
  }
}
