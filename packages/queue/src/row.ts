import type { Mailbox } from '@posthorn/address'
import type { Envelope, NewMessage, NewRecipient, Notify, SiteKey } from '@posthorn/contracts'
import { unpackDeliverBy } from '@posthorn/queue-base'

/** A row of `message`, as SQLite gives it. */
export interface MessageRow {
  readonly id: number
  readonly nonce: number
  readonly arrived: number
  readonly size: number
  readonly first: number
  readonly total: number
  readonly spooled: number
  readonly origin: string
  readonly sender_local: string | null
  readonly sender_domain: string | null
  readonly sender_wire: string | null
  readonly eight_bit: string
  readonly priority: number
  readonly smtputf8: number
  readonly user: string | null
  readonly tags: string | null
  readonly facts: string | null
  readonly expires: number | null
  readonly envid: string | null
  readonly ret: string | null
  readonly require_tls: number
  readonly deliver_by: number | null
}
/** A row of `delivery`. */
export interface DeliveryRow {
  readonly id: number
  readonly message: number
  readonly site: string
  readonly state: number
  readonly priority: number
  readonly due: number
  readonly token: number
  readonly local: string
  readonly domain: string
  readonly wire: string | null
  readonly attempts: number
  readonly doubt: number
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

/** `wire` is stored only where it is not the plain `local@domain`. */
export const wireColumn = (m: Mailbox): string | null => (m.wire === `${m.local}@${m.domain}` ? null : m.wire)

const mailbox = (local: string, domain: string, wire: string | null): Mailbox =>
  ({ local, domain, wire: wire ?? `${local}@${domain}` }) as Mailbox

/** The reverse-path of a message row. */
const senderOf = (row: MessageRow): Mailbox | null =>
  row.sender_local === null ? null : mailbox(row.sender_local, row.sender_domain ?? '', row.sender_wire)

export const envelopeOf = (row: MessageRow): Envelope => ({
  returnPath: senderOf(row),
  origin: row.origin as Envelope['origin'],
  ...(row.user !== null && { user: row.user }),
  ...(row.envid !== null && { envid: row.envid }),
  ...(row.ret !== null && { ret: row.ret as 'full' | 'hdrs' }),
  smtputf8: row.smtputf8 === 1,
  body: row.eight_bit as Envelope['body'],
  requireTls: row.require_tls === 1,
  ...(row.deliver_by !== null && { deliverBy: unpackDeliverBy(row.deliver_by) }),
})

export const tagsOf = (row: MessageRow): readonly string[] =>
  row.tags === null ? [] : (JSON.parse(row.tags) as readonly string[])

/** What a claim tells of its message. Throws SyntaxError on a damaged row. */
export const messageOf = (row: MessageRow): Omit<NewMessage, 'head' | 'recipients'> => ({
  envelope: envelopeOf(row),
  priority: row.priority,
  tags: tagsOf(row),
  ...(row.expires !== null && { expires: row.expires }),
})

/** Throws SyntaxError on a damaged row. */
export const recipientOf = (row: DeliveryRow): NewRecipient => ({
  to: mailbox(row.local, row.domain, row.wire),
  ...(row.orcpt !== null && { orcpt: row.orcpt }),
  ...(row.notify !== null && { notify: JSON.parse(row.notify) as Notify }),
  ...(row.return_path !== null && { returnPath: JSON.parse(row.return_path) as Mailbox | null }),
  site: row.site as SiteKey,
  due: row.due,
})
