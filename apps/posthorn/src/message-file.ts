import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type {
  DeliverBy,
  Envelope,
  NewMessage,
  NewRecipient,
  Notify,
  Origin,
  QueueId,
  SiteKey,
} from '@posthorn/contracts'

const path = (mailbox: Mailbox | null): string => mailbox?.wire ?? ''

/** What an export writes beside the content: the message's envelope, with addresses as text. */
export const messageJson = (id: QueueId, message: NewMessage): unknown => {
  const { envelope, recipients, ...rest } = message
  return {
    id,
    ...rest,
    envelope: { ...envelope, returnPath: path(envelope.returnPath) },
    recipients: recipients.map(({ to, returnPath, ...more }) => ({
      to: path(to),
      ...(returnPath === undefined ? {} : { returnPath: path(returnPath) }),
      ...more,
    })),
  }
}

/** A fault of the file in words. */
class Wrong extends Error {}

type Fields = Readonly<Record<string, unknown>>
const fields = (value: unknown, what: string): Fields => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Wrong(`${what} is no object`)
}
const list = (value: unknown, what: string): readonly unknown[] => {
  if (Array.isArray(value)) return value
  throw new Wrong(`${what} is no list`)
}
const one = <T extends string>(value: unknown, of: readonly T[], what: string): T => {
  const found = of.find(x => x === value)
  if (found !== undefined) return found
  throw new Wrong(`${what} is ${JSON.stringify(value)}, not one of ${of.join(', ')}`)
}
const optional = <K extends string, T>(
  key: K,
  value: unknown,
  read: (value: unknown) => T,
): { readonly [k in K]?: T } => (value === undefined ? {} : { [key]: read(value) }) as { readonly [k in K]?: T }
const text =
  (what: string) =>
  (value: unknown): string => {
    if (typeof value === 'string' && value.length <= 100_000) return value
    throw new Wrong(`${what} is no text`)
  }
const number =
  (what: string) =>
  (value: unknown): number => {
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw new Wrong(`${what} is no number`)
  }
const flag = (value: unknown, what: string): boolean => {
  if (typeof value === 'boolean') return value
  throw new Wrong(`${what} is neither true nor false`)
}

const facts = (value: unknown): Fields => {
  const read = fields(value, 'facts')
  if (JSON.stringify(read).length <= 100_000) return read
  throw new Wrong('facts is longer than 100000 characters')
}

const mailbox = (value: unknown, what: string): Mailbox => {
  const parsed = typeof value === 'string' ? parseMailbox(value, { smtputf8: true }) : undefined
  if (parsed !== undefined) return parsed
  throw new Wrong(`${what} is ${JSON.stringify(value)}, which is no address`)
}
const mailboxOrNull = (value: unknown, what: string): Mailbox | null => (value === '' ? null : mailbox(value, what))
const site = (value: unknown): SiteKey => {
  if (typeof value === 'string' && /^[a-z][a-z0-9-]*:\S*$/.test(value)) return value as SiteKey
  throw new Wrong(`${JSON.stringify(value)} is no site`)
}
const notify = (value: unknown): Notify =>
  value === 'never' ? 'never' : list(value, 'notify').map(n => one(n, ['success', 'failure', 'delay'], 'notify'))

const deliverBy = (value: unknown): DeliverBy => {
  const by = fields(value, 'deliverBy')
  return {
    at: number('at of deliverBy')(by['at']),
    mode: one(by['mode'], ['return', 'notify'], 'mode of deliverBy'),
    trace: flag(by['trace'], 'trace of deliverBy'),
  }
}

const origins: readonly Origin[] = ['mx', 'submission', 'lmtp', 'api', 'bounce', 'list']
const envelopeFrom = (value: unknown): Envelope => {
  const e = fields(value, 'envelope')
  return {
    returnPath: mailboxOrNull(e['returnPath'], 'the sender'),
    origin: one(e['origin'], origins, 'origin'),
    ...optional('user', e['user'], text('user')),
    ...optional('envid', e['envid'], text('envid')),
    ...optional('ret', e['ret'], ret => one(ret, ['full', 'hdrs'] as const, 'ret')),
    smtputf8: flag(e['smtputf8'], 'smtputf8'),
    body: one(e['body'], ['7bit', '8bitmime', 'binarymime'], 'body'),
    requireTls: flag(e['requireTls'], 'requireTls'),
    ...optional('deliverBy', e['deliverBy'], deliverBy),
  }
}
const recipientFrom = (value: unknown): NewRecipient => {
  const r = fields(value, 'a recipient')
  return {
    to: mailbox(r['to'], 'a recipient'),
    ...optional('orcpt', r['orcpt'], text('orcpt')),
    ...optional('notify', r['notify'], notify),
    ...optional('returnPath', r['returnPath'], path => mailboxOrNull(path, 'returnPath')),
    site: site(r['site']),
    ...optional('due', r['due'], number('due')),
  }
}

/** The message of such a file, or what is wrong with it. What is not known to it is left out. */
export const messageFrom = (json: string): NewMessage | string => {
  try {
    const m = fields(JSON.parse(json), 'the file')
    const recipients = list(m['recipients'], 'recipients').map(recipientFrom)
    if (recipients.length === 0) return 'it has no recipient'
    return {
      envelope: envelopeFrom(m['envelope']),
      recipients,
      ...optional('priority', m['priority'], number('priority')),
      ...optional('expires', m['expires'], number('expires')),
      ...optional('tags', m['tags'], tags => list(tags, 'tags').map(text('a tag'))),
      ...optional('held', m['held'], text('held')),
      ...optional('facts', m['facts'], facts),
    }
  } catch (error) {
    if (error instanceof Wrong) return error.message
    if (error instanceof SyntaxError) return `it is no JSON: ${error.message}`
    throw error
  }
}
