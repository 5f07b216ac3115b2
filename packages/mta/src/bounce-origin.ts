import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { Queue, QueueEntry, QueueId } from '@posthorn/contracts'
import type { Headers } from '@posthorn/message'
import type { Recipient } from '@posthorn/plugin'
import type { BounceTags, Tagged } from './bounce-tags.ts'
import { envidName, messageIdName } from './sent.ts'
import type { Sent } from './sent.ts'

/** What a bounce or complaint says by which the message that it is about can be found. */
export interface Clues {
  /** Who got it, as the envelope says. */
  readonly readers: readonly Recipient[]
  /** A return path of ours that it names. */
  readonly mailFrom?: string | undefined
  readonly envid?: string | undefined
  readonly original: Headers | undefined
  /** It came to whoever sent the message, as bounces do. */
  readonly toSender: boolean
}

/** The message of ours that something is about, and by which clue it was found. */
export interface BounceOrigin {
  readonly by: 'tag' | 'trace' | 'envid' | 'message-id'
  readonly id?: QueueId
  readonly sender?: Mailbox
  /** The recipients that it had, lower case. */
  readonly recipients: readonly string[]
  /** The one recipient that the tag names. */
  readonly recipient?: string
}

export interface OriginOptions {
  readonly show: Queue['show']
  readonly sent: Sent
  readonly hostname: string
  readonly tags?: BounceTags
}

/** Received fields of ours that are looked at: more than one is there when a message came back. */
const MOST_TRACES = 3

/** Find the message that it is about, by the surest clue first; undefined when it is none of ours. Rejects with StoreError. */
export const originOf = async (clues: Clues, o: OriginOptions): Promise<BounceOrigin | undefined> => {
  const tagged = await taggedIn(clues, o)
  if (tagged !== undefined) return byTag(tagged, o)
  for (const id of tracesIn(clues.original, o.hostname)) {
    const found = await entryOf(id as QueueId, clues, o)
    if (found !== undefined) return { by: 'trace', ...found }
  }
  for (const [by, id] of namesIn(clues, o.sent)) {
    const found = await entryOf(id, clues, o)
    if (found !== undefined) return { by, ...found }
  }
  return undefined
}

/** The first tag of ours among the addresses that it came to, as the sender of the bounce wrote them, or that it names. */
const taggedIn = async ({ readers, mailFrom }: Clues, { tags }: OriginOptions): Promise<Tagged | undefined> => {
  const written = readers.flatMap(({ to, orcpt }) => [orcpt?.slice(orcpt.indexOf(';') + 1), to.wire])
  for (const text of [...written, mailFrom]) {
    const address = text === undefined ? undefined : parseMailbox(text, { smtputf8: true })
    const found = address === undefined ? undefined : await tags?.read(address)
    if (found !== undefined && found.is !== 'forged') return found.tagged
  }
  return undefined
}

const byTag = async ({ sender, id, mark = '' }: Tagged, { show, tags }: OriginOptions): Promise<BounceOrigin> => {
  if (id === undefined) return { by: 'tag', sender, recipients: [] }
  // A server on the way may have changed the case.
  const entry = (await show(id)) ?? (await show(id.toUpperCase() as QueueId))
  if (entry === undefined) return { by: 'tag', id, sender, recipients: [] }
  const recipients = recipientsOf(entry)
  const recipient = recipients.find(address => tags?.isMarkOf(mark, id, address))
  return { by: 'tag', id: entry.id, sender, recipients, ...(recipient === undefined ? undefined : { recipient }) }
}

const recipientsOf = ({ queued, history }: QueueEntry): readonly string[] => [
  ...new Set([...queued, ...history].flatMap(({ rcpt }) => (rcpt === undefined ? [] : [rcpt.toLowerCase()]))),
]

/** The queue ids in our trace fields, newest first. */
const tracesIn = (original: Headers | undefined, hostname: string): readonly string[] =>
  (original?.all('received') ?? [])
    .flatMap(value => {
      const [, host, id] = /\bby (\S{1,255}) .{0,300}?\bid ([0-9A-Za-z]{10,26})\b/.exec(value.slice(0, 1000)) ?? []
      return host?.toLowerCase() === hostname && id !== undefined ? [id] : []
    })
    .slice(0, MOST_TRACES)

const namesIn = (
  { readers, envid, original }: Clues,
  sent: Sent,
): readonly (readonly [by: 'envid' | 'message-id', id: QueueId])[] => {
  const byEnvid = readers.flatMap(({ to }) => sent.find(envidName(envid ?? '', to.wire)) ?? [])
  const byId = sent.find(messageIdName(original?.first('message-id') ?? ''))
  return [...byEnvid.map(id => ['envid', id] as const), ...(byId === undefined ? [] : [['message-id', byId] as const])]
}

/** The message of that id, if it was sent by whoever the bounce came to: anybody can write any id into a bounce. */
const entryOf = async (
  id: QueueId,
  { readers, toSender }: Clues,
  { show }: OriginOptions,
): Promise<Omit<BounceOrigin, 'by'> | undefined> => {
  const entry = await show(id)
  const sender = entry?.envelope.returnPath
  if (entry === undefined || sender === null || sender === undefined) return undefined
  const isReader = readers.some(({ to }) => to.wire.toLowerCase() === sender.wire.toLowerCase())
  return toSender && !isReader ? undefined : { id: entry.id, sender, recipients: recipientsOf(entry) }
}
