import type { NewMessage, Owner } from '@posthorn/contracts'
import { packDeliverBy } from '@posthorn/queue-base'
import { clean, wireColumn } from './row.ts'

/** A message on its way into the tables. */
export interface NewStored {
  readonly id: string
  readonly message: Omit<NewMessage, 'head'>
  /** The head, and the body where it is small; in parts, which must not change until it is stored. */
  readonly content: readonly Uint8Array[]
  /** Octets of the body that are stored in chunks already. */
  readonly spooled: number
  readonly claim?: { readonly owner: Owner; readonly leaseMs: number }
}

export const octetsOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.byteLength, 0)

/** Bounds the seeks of a claim: one for each priority. */
const clampPriority = (priority: number | undefined): number =>
  priority === undefined || priority !== priority ? 0 : Math.round(Math.max(-9, Math.min(9, priority)))

const optional = (text: string | undefined): string | null => (text === undefined ? null : clean(text))

/** The sender as suspensions name it: without regard to case, empty for the null sender. */
const senderKey = (sender: NewMessage['envelope']['returnPath']): string =>
  sender === null ? '' : clean(`${sender.local}@${sender.domain}`).toLowerCase()

/** The message as `json_to_recordset` takes it; `at` is where its content begins among that of the group. */
export const messageInput = (m: NewStored, at: number, toDatabase: (wall: number) => number): object => {
  const { envelope: e, recipients, tags, facts, expires } = m.message
  const inline = octetsOf(m.content)
  const sender = e.returnPath
  return {
    id: m.id,
    size: inline + m.spooled,
    inline,
    spooled: m.spooled,
    at,
    total: recipients.length,
    origin: e.origin,
    sender_local: sender === null ? null : clean(sender.local),
    sender_domain: sender === null ? null : clean(sender.domain),
    sender_wire: sender === null ? null : wireColumn(sender),
    eight_bit: e.body,
    priority: clampPriority(m.message.priority),
    smtputf8: e.smtputf8,
    username: optional(e.user),
    tags: tags === undefined || tags.length === 0 ? null : tags.map(clean),
    facts: facts === undefined ? null : JSON.stringify(facts),
    expires: expires === undefined ? null : toDatabase(expires),
    envid: optional(e.envid),
    ret: e.ret ?? null,
    require_tls: e.requireTls,
    ...(e.deliverBy !== undefined && { deliver_by: packDeliverBy({ ...e.deliverBy, at: toDatabase(e.deliverBy.at) }) }),
  }
}

export const recipientInputs = (m: NewStored, toDatabase: (wall: number) => number): readonly object[] =>
  m.message.recipients.map(r => ({
    message: m.id,
    site: clean(r.site),
    due: r.due === undefined ? null : toDatabase(r.due),
    priority: clampPriority(m.message.priority),
    sender: senderKey(m.message.envelope.returnPath),
    held: optional(m.message.held),
    owner: m.claim?.owner ?? null,
    lease_ms: m.claim === undefined ? null : Math.ceil(m.claim.leaseMs),
    local: clean(r.to.local),
    domain: clean(r.to.domain),
    wire: wireColumn(r.to),
    orcpt: optional(r.orcpt),
    notify: r.notify === undefined ? null : JSON.stringify(r.notify),
    return_path: r.returnPath === undefined ? null : JSON.stringify(r.returnPath),
  }))
