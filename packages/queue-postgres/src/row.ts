import type { Mailbox } from '@posthorn/address'
import type { DeliverBy, Envelope, NewMessage, NewRecipient, Notify, SiteKey } from '@posthorn/contracts'
import { unpackDeliverBy } from '@posthorn/queue-base'

/** A row of `message`. */
export interface MessageRow {
  readonly id: string
  readonly arrived: number
  readonly size: number
  readonly inline: number
  readonly spooled: number
  readonly origin: string
  readonly sender_local: string | null
  readonly sender_domain: string | null
  readonly sender_wire: string | null
  readonly eight_bit: string
  readonly priority: number
  readonly smtputf8: boolean
  readonly username: string | null
  readonly tags: readonly string[] | null
  readonly facts: string | null
  readonly expires: number | null
  readonly envid: string | null
  readonly ret: string | null
  readonly require_tls: boolean
  readonly deliver_by: number | null
}

/** A row of `delivery`. */
export interface DeliveryRow {
  readonly id: number
  readonly message: string
  readonly site: string
  readonly state: number
  readonly priority: number
  readonly due: number
  readonly token: number
  readonly local: string
  readonly domain: string
  readonly wire: string | null
  readonly attempts: number
  readonly doubt: boolean
  readonly warned: number | null
  readonly held_ms: number
  readonly orcpt: string | null
  readonly notify: string | null
  readonly return_path: string | null
  readonly why: string | null
  readonly last: string | null
  readonly wish: string | null
  readonly interrupted: number
}

/** PostgreSQL keeps no NUL in text; what a peer put one into is kept with U+FFFD there. */
export const clean = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text)

/** `wire` is stored only where it is not the plain `local@domain`. */
export const wireColumn = (m: Mailbox): string | null => (m.wire === `${m.local}@${m.domain}` ? null : clean(m.wire))

const mailbox = (local: string, domain: string, wire: string | null): Mailbox =>
  ({ local, domain, wire: wire ?? `${local}@${domain}` }) as Mailbox

const deliverByOf = (packed: number, skew: number): DeliverBy => {
  const by = unpackDeliverBy(packed)
  return { ...by, at: by.at - skew }
}

/** `skew` is how far the database's clock is ahead of ours. */
export const envelopeOf = (row: MessageRow, skew: number): Envelope => ({
  returnPath: row.sender_local === null ? null : mailbox(row.sender_local, row.sender_domain ?? '', row.sender_wire),
  origin: row.origin as Envelope['origin'],
  ...(row.username !== null && { user: row.username }),
  ...(row.envid !== null && { envid: row.envid }),
  ...(row.ret !== null && { ret: row.ret as 'full' | 'hdrs' }),
  smtputf8: row.smtputf8,
  body: row.eight_bit as Envelope['body'],
  requireTls: row.require_tls,
  ...(row.deliver_by !== null && { deliverBy: deliverByOf(row.deliver_by, skew) }),
})

/** What a claim tells of its message. */
export const messageOf = (row: MessageRow, skew: number): Omit<NewMessage, 'head' | 'recipients'> => ({
  envelope: envelopeOf(row, skew),
  priority: row.priority,
  tags: row.tags ?? [],
  ...(row.expires !== null && { expires: row.expires - skew }),
})

export const recipientOf = (row: DeliveryRow, skew: number): NewRecipient => ({
  to: mailbox(row.local, row.domain, row.wire),
  ...(row.orcpt !== null && { orcpt: row.orcpt }),
  ...(row.notify !== null && { notify: JSON.parse(row.notify) as Notify }),
  ...(row.return_path !== null && { returnPath: JSON.parse(row.return_path) as Mailbox | null }),
  site: row.site as SiteKey,
  due: row.due - skew,
})

export const rcptOf = (row: { readonly local: string; readonly domain: string }): string => `${row.local}@${row.domain}`
