import type { Mailbox } from '@posthorn/address'
import type { NewRecipient } from '@posthorn/contracts'
import type { EnqueueOp, StoredMessage } from './operation.ts'
import { packDeliverBy } from '@posthorn/queue-base'
import { wireColumn } from './row.ts'
import { state } from './schema.ts'
import { touch } from './work.ts'
import type { Work } from './work.ts'

/** Bounds the seeks of a claim: one for each priority that a site has. */
const clampPriority = (priority: number | undefined): number =>
  priority === undefined || priority !== priority ? 0 : Math.round(Math.max(-9, Math.min(9, priority)))

const insertMessage = ({ s }: Work, m: StoredMessage): void => {
  const { envelope: e, recipients, tags, facts, expires, priority } = m.message
  const sender = e.returnPath
  s.insertMessage.run(
    m.key,
    m.nonce,
    Math.floor(m.arrived),
    m.size,
    m.first,
    recipients.length,
    m.spooled,
    e.origin,
    sender?.local ?? null,
    sender?.domain ?? null,
    sender === null ? null : wireColumn(sender),
    e.body,
    clampPriority(priority),
    e.smtputf8 ? 1 : 0,
    e.user ?? null,
    tags === undefined || tags.length === 0 ? null : JSON.stringify(tags),
    facts === undefined ? null : JSON.stringify(facts),
    expires === undefined ? null : Math.ceil(expires),
    e.envid ?? null,
    e.ret ?? null,
    e.requireTls ? 1 : 0,
    e.deliverBy === undefined ? null : packDeliverBy(e.deliverBy),
  )
}

/** Insert the message, its content and its deliveries; says which of its deliveries, by index, were leased at once. */
export const enqueue = (
  work: Work,
  m: StoredMessage & Pick<EnqueueOp, 'claim'>,
  content: Uint8Array,
): readonly number[] | 'all' => {
  insertMessage(work, m)
  work.s.insertBody.run(m.key, content)
  const leased: number[] = []
  const { recipients } = m.message
  const held = m.message.held ?? heldForItsSender(work, m.message.envelope.returnPath)
  recipients.forEach((to, i) => {
    if (insertDelivery(work, m, to, i, held)) leased.push(i)
  })
  return leased.length === recipients.length ? 'all' : leased
}

const senderText = (sender: Mailbox | null): string => (sender === null ? '' : `${sender.local}@${sender.domain}`)

const heldForItsSender = ({ stopped: { senders } }: Work, sender: Mailbox | null): string | undefined =>
  senders.size === 0 ? undefined : senders.get(senderText(sender).toLowerCase())

const isOpen = ({ batch, paused, stopped }: Work, site: string): boolean =>
  (paused.get(site) ?? 0) <= batch.now && !stopped.sites.has(site)

const insertDelivery = (
  work: Work,
  m: StoredMessage & Pick<EnqueueOp, 'claim'>,
  to: NewRecipient,
  index: number,
  held: string | undefined,
): boolean => {
  const { s, batch } = work
  const due = to.due === undefined ? batch.now : Math.ceil(to.due)
  const lease = due <= batch.now && held === undefined && isOpen(work, to.site) ? m.claim : undefined
  s.insertDelivery.run(
    m.first + index,
    m.key,
    to.site,
    held !== undefined ? state.held : lease === undefined ? state.ready : state.leased,
    clampPriority(m.message.priority),
    due,
    lease === undefined ? 0 : 1,
    lease?.owner ?? null,
    lease === undefined ? null : Math.ceil(batch.mono + lease.leaseMs),
    to.to.local,
    to.to.domain,
    wireColumn(to.to),
    lease === undefined ? 0 : 1,
    to.orcpt ?? null,
    to.notify === undefined ? null : JSON.stringify(to.notify),
    to.returnPath === undefined ? null : JSON.stringify(to.returnPath),
    held ?? null,
    held === undefined ? null : batch.now,
    lease === undefined ? senderText(m.message.envelope.returnPath) : null,
  )
  if (held === undefined && lease === undefined) touch(work, to.site, due)
  return lease !== undefined
}
