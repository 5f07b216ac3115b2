import type { Mailbox } from '@posthorn/address'
import type { Awaitable, NewRecipient, Origin, QueueId } from '@posthorn/contracts'
import { field, withFields } from '@posthorn/message'
import type { Body, HeaderField, Headers } from '@posthorn/message'
import { andThen } from '@posthorn/plugin'
import type { Edit, Recipient, SignalSource } from '@posthorn/plugin'
import { EnqueueContext } from './context.ts'
import { deliveriesOf } from './deliveries.ts'
import type { IntakeOptions } from './options.ts'
import { resolveRecipients } from './resolve.ts'

/** A message on its way into the queue, whatever its origin. */
export interface Letter {
  readonly id: QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly envid?: string | undefined
  readonly recipients: readonly NewRecipient[]
  readonly headers: Headers
  readonly body: Body
  readonly smtputf8: boolean
  /** Put on top at the very end, above what `seal` prepended. */
  readonly trace: HeaderField
  readonly signals?: SignalSource
}
/** A letter after `stamp` and `seal`. */
export interface Finished {
  readonly headers: Headers
  readonly sender: Mailbox | null
  readonly recipients: readonly NewRecipient[]
  readonly tags: readonly string[]
  readonly priority: number
  /** For `queued`; it has what plugins said. */
  readonly context: EnqueueContext
}
/** Why a message was not taken: a plugin failed, or added a recipient that nobody has. */
export interface Unfinished {
  readonly failed: string
}

/** Leave out what would be delivered to the same place twice: two aliases of one message may meet there. */
export const distinct = (recipients: readonly NewRecipient[]): readonly NewRecipient[] => {
  if (recipients.length < 2) return recipients
  const places = new Map<string, number>()
  const kept: NewRecipient[] = []
  for (const recipient of recipients) {
    const { to, site, returnPath } = recipient
    // Two mailboxes get two copies although they have one address; two return paths are two senders to be told.
    const key = `${site}\n${to.wire}\n${returnPath === undefined ? '=' : (returnPath?.wire ?? '')}`
    const at = places.get(key)
    const before = at === undefined ? undefined : kept[at]
    if (at === undefined || before === undefined) places.set(key, kept.push(recipient) - 1)
    else kept[at] = heardOf(before, recipient)
  }
  return kept
}

/** What the sender wants to hear when one delivery stands for two recipients: whatever it wants to hear of either (RFC 3461 §4.1). */
const heardOf = (a: NewRecipient, b: NewRecipient): NewRecipient => {
  if (b.notify === 'never') return a
  if (a.notify === 'never') return b
  if (a.notify === undefined && b.notify === undefined) return a
  return { ...a, notify: [...new Set([...(a.notify ?? unasked), ...(b.notify ?? unasked)])] }
}

/** What is told to who did not say (RFC 3461 §4.1). */
const unasked = ['failure', 'delay'] as const

const asRecipient = ({ to, orcpt, notify, returnPath }: NewRecipient): Recipient => ({
  to,
  ...(orcpt !== undefined && { orcpt }),
  ...(notify !== undefined && { notify }),
  ...(returnPath !== undefined && { returnPath }),
})

const prepended = (edit: Pick<Edit, 'prepend'>, utf8: boolean): readonly HeaderField[] =>
  (edit.prepend ?? []).map(([name, value]) => field(name, value, { utf8 }))

const edited = (headers: Headers, edit: Edit, utf8: boolean): Headers =>
  withFields(headers, { prepend: prepended(edit, utf8), remove: edit.remove ?? [] })

/** The message after `stamp`, before the recipients that were added are known. */
const applyEdits = (letter: Letter, context: EnqueueContext, edits: readonly Edit[]): Finished => {
  let { headers, sender } = letter
  let priority = 0
  const tags = new Set<string>()
  for (const edit of edits) {
    headers = edited(headers, edit, letter.smtputf8)
    if (edit.returnPath !== undefined) sender = edit.returnPath
    if (edit.priority !== undefined) priority = edit.priority
    for (const tag of edit.tags ?? []) tags.add(tag)
  }
  return { headers, sender, recipients: letter.recipients, tags: [...tags], priority, context }
}

const addRecipients = async (
  letter: Letter,
  stamped: Finished,
  o: { readonly added: readonly Recipient[]; readonly options: IntakeOptions },
): Promise<Finished | Unfinished> => {
  const { chain, hostname } = o.options
  const { id, origin, user } = letter
  const from = { chain, hostname, origin, user, session: id, sender: stamped.sender }
  const resolved = await resolveRecipients(o.added, from)
  // Without the copy that a policy demands the message is not taken: an archive has no holes.
  if (!resolved.ok) return { failed: `added recipient ${resolved.to.wire}: ${resolved.why}` }
  const more = resolved.recipients.flatMap(recipient => deliveriesOf(recipient))
  return { ...stamped, recipients: distinct([...letter.recipients, ...more]) }
}

const stamp = (letter: Letter, context: EnqueueContext, o: IntakeOptions): Awaitable<Finished | Unfinished> => {
  if (!o.chain.has('stamp')) return applyEdits(letter, context, [])
  return andThen(o.chain.gather('stamp', { headers: letter.headers, body: letter.body }, context), edits => {
    if ('failed' in edits) return { failed: `stamp failed in ${edits.plugin}` }
    const stamped = applyEdits(letter, context, edits)
    const added = edits.flatMap(edit => edit.addRecipients ?? [])
    return added.length === 0 ? stamped : addRecipients(letter, stamped, { added, options: o })
  })
}

const seal = (letter: Letter, stamped: Finished, o: IntakeOptions): Awaitable<Finished | Unfinished> => {
  if (!o.chain.has('seal')) return stamped
  const message = { headers: stamped.headers, body: letter.body }
  return andThen(o.chain.gather('seal', message, stamped.context), edits => {
    if ('failed' in edits) return { failed: `seal failed in ${edits.plugin}` }
    const headers = edits.reduce((sealed, edit) => edited(sealed, edit, letter.smtputf8), stamped.headers)
    return { ...stamped, headers }
  })
}

/** Ask `stamp` and apply its edits, ask `seal` about the result, put the trace field on top. Synchronous when the hooks are. */
export const finish = (letter: Letter, o: IntakeOptions): Awaitable<Finished | Unfinished> => {
  const { id, origin, user, sender, envid, recipients } = letter
  const facts = { queueId: id, origin, user, sender, envid, rcpts: recipients.map(asRecipient) }
  const context = new EnqueueContext(facts, letter.signals)
  return andThen(stamp(letter, context, o), stamped =>
    andThen('failed' in stamped ? stamped : seal(letter, stamped, o), sealed =>
      'failed' in sealed ? sealed : { ...sealed, headers: withFields(sealed.headers, { prepend: [letter.trace] }) },
    ),
  )
}
