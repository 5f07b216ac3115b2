import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type {
  AcceptedRecipient,
  Claim,
  Disposition,
  Draft,
  Handoff,
  Intake,
  Journal,
  Owner,
  Queue,
  StoreError,
  Transaction,
} from '@posthorn/contracts'
import { createIntake } from '@posthorn/intake'
import type { IntakeOptions } from '@posthorn/intake'
import { bodyOf, parseHeaders, readAll, utf8 } from '@posthorn/message'
import { createChain, keepVerdict } from '@posthorn/plugin'
import type { Host, Hooks, Plugin } from '@posthorn/plugin'
import { memoryQueue } from '@posthorn/queue'
import type { Reply } from '@posthorn/reply'
import { manualClock, seededRandom } from '@posthorn/testkit'

export const box = (text: string): Mailbox => {
  const mailbox = parseMailbox(text, { smtputf8: true })
  if (mailbox === undefined) throw new Error(text)
  return mailbox
}
export const to = (address: string, more: Partial<AcceptedRecipient> = {}): AcceptedRecipient => ({
  to: box(address),
  goesTo: [{ to: box(address), destination: { transport: 'mx', arg: box(address).domain } }],
  ...more,
})
export const plugin = (name: string, hooks: Hooks): Plugin => ({ name, setup: () => hooks })

/** What a queue that fails says. */
export const storeError = (full: boolean): StoreError =>
  Object.assign(new Error(full ? 'disk full' : 'I/O error'), { name: 'StoreError' as const, full })

/** A queue that fails at one call of its drafts, or at `begin`. */
export const failing = (queue: Queue, at: 'begin' | 'write' | 'end' | 'commit', error: Error): Queue => ({
  ...queue,
  newId: () => queue.newId(),
  begin: hint => {
    if (at === 'begin') throw error
    const draft = queue.begin(hint)
    const broken: Draft = {
      id: draft.id,
      write: chunk => (at === 'write' ? Promise.reject(error) : draft.write(chunk)),
      end: () => (at === 'end' ? Promise.reject(error) : draft.end()),
      commit: (message, claimFor) => (at === 'commit' ? Promise.reject(error) : draft.commit(message, claimFor)),
      abort: () => draft.abort(),
    }
    return broken
  },
})

interface Event {
  readonly name: string
  readonly [field: string]: unknown
}
/** An intake over the queue in memory, and what a test wants to see of it. */
export const worldOf = async (plugins: readonly Plugin[] = [], more: Partial<IntakeOptions> = {}) => {
  const clock = manualClock()
  const random = seededRandom(7)
  const events: Event[] = []
  const journal: Journal = {
    event: (name, fields) => void events.push({ name, ...fields }),
    child: () => journal,
  }
  const queue = memoryQueue({ clock, random })
  const chain = await createChain(plugins, { host: () => ({}) as Host, clock, onVerdict: keepVerdict })
  const options: IntakeOptions = { queue, chain, hostname: 'mx.example.org', clock, random, journal, ...more }
  const intake = createIntake(options)
  return { clock, random, events, journal, queue, chain, options, intake }
}

export const transaction = (more: Partial<Transaction> = {}): Transaction => ({
  session: 's1',
  service: 'mx',
  origin: 'mx',
  protocol: 'ESMTP',
  client: { ip: '192.0.2.1', port: 50_000, helo: 'client.example', tls: undefined, user: undefined },
  sender: box('alice@example.com'),
  recipients: [to('bob@example.net')],
  smtputf8: false,
  body: '7bit',
  requireTls: false,
  answersEach: false,
  signal: new AbortController().signal,
  ...more,
})

export const HEAD = 'Subject: hi\r\nTo: bob@example.net\r\n\r\n'
export const BODY = 'the text\r\n'

/** Bring one message to an intake as a session would. */
export const bring = async (
  intake: Intake,
  t: Transaction = transaction(),
  disposition: Partial<Disposition> = {},
): Promise<Reply | readonly Reply[]> => {
  const reception = intake.begin(t)
  if (!('commit' in reception)) return reception
  await reception.write(utf8(BODY))
  return reception.commit(parseHeaders(utf8(HEAD)), { verdicts: [], ...disposition })
}

/** All that is due in the queue. */
export const claims = (queue: Queue): Promise<readonly Claim[]> =>
  queue.claim({ owner: 'test' as Owner, sites: 100, perSite: 100, leaseMs: 60_000 })
export const textOf = async (claim: Claim | undefined): Promise<string> =>
  Buffer.from(await readAll(claim?.body ?? bodyOf(new Uint8Array(0)), 1_000_000)).toString()

export const handoff = (wants: boolean): Handoff & { readonly taken: Claim[] } => {
  const taken: Claim[] = []
  return {
    owner: 'dispatcher' as Owner,
    leaseMs: 60_000,
    wants: () => wants,
    take: all => void taken.push(...all),
    taken,
  }
}

/** An order for what comes in none. */
export const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
