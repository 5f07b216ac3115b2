import type {
  Claim,
  Envelope,
  EventName,
  Job,
  Journal,
  Json,
  NewMessage,
  NewRecipient,
  Outcome,
  Queue,
  QueueId,
  SiteKey,
  Transport,
} from '@posthorn/contracts'
import type { Plugin } from '@posthorn/plugin'
import { memoryQueue } from '@posthorn/queue'
import { manualClock, seededRandom } from '@posthorn/testkit'
import type { ManualClock } from '@posthorn/testkit'
import { createDispatcher } from '../src/dispatcher.ts'
import type { Dispatcher } from '../src/dispatcher.ts'
import type { DispatcherOptions, ReportDraft } from '../src/options.ts'
import { chainOf, mailbox } from './ask.ts'

export const site = (key: string): SiteKey => key as SiteKey
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const relayed: Outcome = { fate: 'relayed', phase: 'dot', cause: '250 ok', reply: { code: 250, lines: ['ok'] } }
export const delivered: Outcome = { fate: 'delivered', phase: 'local', cause: 'in the mailbox' }
export const refused: Outcome = {
  fate: 'failed',
  phase: 'rcpt',
  cause: 'no such user',
  reply: { code: 550, enhanced: '5.1.1', lines: ['no such user'] },
  remote: 'mx.them.example[192.0.2.9]:25',
}
export const greylisted: Outcome = {
  fate: 'deferred',
  phase: 'rcpt',
  cause: 'greylisted',
  reply: { code: 450, enhanced: '4.7.1', lines: ['greylisted'] },
}
export const unreachable: Outcome = { fate: 'deferred', phase: 'connect', cause: 'connection refused', status: '4.4.1' }

interface Told {
  readonly name: EventName
  readonly fields: { readonly [k: string]: Json | undefined }
}
/** A journal that remembers. */
const memoryJournal = (): Journal & { readonly told: Told[] } => {
  const told: Told[] = []
  const journal = {
    told,
    event: (name: EventName, fields: Told['fields']) => void told.push({ name, fields }),
    child: () => journal,
  }
  return journal
}

/** A transport that answers as told and remembers its jobs. */
export class Scripted implements Transport {
  readonly jobs: Job[] = []
  readonly at: number[] = []
  running = 0
  most = 0
  answer: (job: Job, signal: AbortSignal) => Outcome | readonly Outcome[] | Promise<Outcome | readonly Outcome[]>
  readonly #clock: ManualClock

  constructor(clock: ManualClock, answer: Scripted['answer'] = () => relayed) {
    this.#clock = clock
    this.answer = answer
  }

  async deliver(job: Job, signal: AbortSignal): Promise<readonly Outcome[]> {
    this.jobs.push(job)
    this.at.push(this.#clock.wall())
    this.most = Math.max(this.most, ++this.running)
    try {
      const answer = await this.answer(job, signal)
      return 'fate' in answer ? job.recipients.map(() => answer) : answer
    } finally {
      this.running--
    }
  }
}

export interface Posting {
  readonly from?: string | null
  readonly envelope?: Partial<Envelope>
  readonly message?: Partial<NewMessage>
  readonly each?: Partial<NewRecipient>
  readonly content?: string
}

/** A dispatcher over a queue in memory, with one transport for each of mx, smtp and local. */
export interface Station {
  readonly clock: ManualClock
  readonly queue: Queue
  readonly mx: Scripted
  readonly local: Scripted
  readonly journal: ReturnType<typeof memoryJournal>
  readonly dispatcher: Dispatcher
  readonly reports: (ReportDraft & { readonly text: string })[]
  /** Put a message into the queue for these recipients at these sites. */
  post(to: Readonly<Record<string, string>>, o?: Posting): Promise<QueueId>
  /** The same, handed over to the dispatcher as an intake does. */
  hand(to: Readonly<Record<string, string>>, o?: Posting): Promise<readonly Claim[]>
  /** Number of deliveries in the queue. */
  left(): Promise<number>
  /** Names of delivery events so far, with the recipient. */
  events(): readonly string[]
}

const content = 'From: a@us.example\r\nSubject: hello\r\n\r\nHi\r\n'

export const station = async (
  o: Partial<DispatcherOptions> & { readonly plugins?: readonly Plugin[]; readonly batches?: boolean } = {},
): Promise<Station> => {
  const clock = o.clock === undefined ? manualClock() : (o.clock as ManualClock)
  const random = seededRandom(7)
  const queue = o.queue ?? memoryQueue({ clock, random })
  const journal = memoryJournal()
  const mx = new Scripted(clock)
  const local = new Scripted(clock, () => delivered)
  const reports: (ReportDraft & { readonly text: string })[] = []
  const { plugins = [], batches: _, ...rest } = o
  const dispatcher = createDispatcher({
    queue,
    transports: { mx, smtp: mx, local },
    chain: await chainOf(...plugins),
    clock,
    random,
    journal,
    hostname: 'mx.us.example',
    retry: { jitter: [1, 1] },
    prepareReport: async draft => {
      reports.push({ ...draft, text: new TextDecoder().decode(draft.bytes) })
      const envelope: Envelope = {
        returnPath: null,
        origin: 'bounce',
        smtputf8: draft.smtputf8,
        body: draft.body,
        requireTls: false,
      }
      const message = { envelope, recipients: [{ to: draft.to, site: site('local:reports') }] }
      return { id: queue.newId(), message, body: draft.bytes }
    },
    ...rest,
  })
  const messageOf = (to: Readonly<Record<string, string>>, p: Posting): NewMessage => ({
    envelope: {
      returnPath: p.from === null ? null : mailbox(p.from ?? 'a@us.example'),
      origin: 'mx',
      smtputf8: false,
      body: '7bit',
      requireTls: false,
      ...p.envelope,
    },
    recipients: Object.entries(to).map(([rcpt, key]) => ({ to: mailbox(rcpt), site: site(key), ...p.each })),
    ...p.message,
  })
  const draftOf = async (p: Posting): Promise<ReturnType<Queue['begin']>> => {
    const draft = queue.begin()
    await draft.write(new TextEncoder().encode(p.content ?? content))
    await draft.end()
    return draft
  }
  return {
    clock,
    queue,
    mx,
    local,
    journal,
    dispatcher,
    reports,
    post: async (to, p = {}) => {
      const draft = await draftOf(p)
      await draft.commit(messageOf(to, p))
      return draft.id
    },
    hand: async (to, p = {}) => {
      const draft = await draftOf(p)
      const claims = await draft.commit(messageOf(to, p), dispatcher)
      dispatcher.take(claims)
      return claims
    },
    left: async () => [...(await queue.count({ and: [] })).values()].reduce((a, b) => a + b, 0),
    events: () =>
      journal.told.flatMap(({ name, fields }) =>
        name.startsWith('delivery.')
          ? [`${name.slice('delivery.'.length)} ${JSON.stringify(fields['rcpt']).slice(1, -1)}`]
          : [],
      ),
  }
}
