import { readFileSync } from 'node:fs'
import { duplexPair, type Duplex } from 'node:stream'
import { createChain, definePlugin, pass, permit, withoutHost } from '@posthorn/plugin'
import { parseMailbox } from '@posthorn/address'
import { renderHeaders } from '@posthorn/message'
import { defer, mailboxFull, queuedAs, reject } from '@posthorn/reply'
import { socketWire } from '@posthorn/system'
import { manualClock, seededRandom, type ManualClock, type Subject } from '@posthorn/testkit'
import { createListener, keepVerdict, type Limits, type Listener, type Service } from '@posthorn/smtp-listener'
import type { Chain, Hooks, Plugin, Recipient } from '@posthorn/plugin'
import type { Mailbox } from '@posthorn/address'
import type { Body, Headers } from '@posthorn/message'
import type { Reply } from '@posthorn/reply'
import type { Disposition, Intake, Journal, Reception, ServerTls, Transaction, Wire } from '@posthorn/contracts'

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')

/** Key and certificate of a client called `ann`; those of the stranger are signed by somebody else. */
export const clientPair = (whose: 'ann' | 'stranger'): { readonly cert: string; readonly key: string } => ({
  cert: fixture(`${whose}.crt`),
  key: fixture(`${whose}.key`),
})

/** A certificate for mx.example.org that nobody trusts. */
export const testTls: ServerTls = {
  certificates: {
    forName: () => ({ certPem: fixture('mx.example.org.crt'), keyPem: fixture('mx.example.org.key') }),
    onChange: () => () => {},
  },
}

export const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text, { smtputf8: true })
  if (parsed === undefined) throw new Error(`not a mailbox: ${text}`)
  return parsed
}
const to = (text: string): Recipient => ({ to: mailbox(text) })

/** A message that the intake was given, or was not: `fate` says. */
interface Taken {
  readonly transaction: Transaction
  content: string
  disposition?: Disposition
  fate: 'open' | 'committed' | 'aborted'
}

/** Takes mail into an array. */
export interface TestIntake extends Intake {
  readonly taken: Taken[]
  /** What is asked before 354 and at the end; by default yes. */
  refusal?: Reply<4 | 5>
  conclude: (taken: Taken, headers: Headers) => Reply | readonly Reply[] | Promise<Reply | readonly Reply[]>
  /** Called for each piece; a promise makes the session wait. */
  onWrite: (chunk: Uint8Array) => void | Promise<void>
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

class TestReception implements Reception {
  readonly id: string
  readonly #intake: TestIntake
  readonly #taken: Taken
  readonly #chunks: Uint8Array[] = []

  constructor(id: string, intake: TestIntake, taken: Taken) {
    this.id = id
    this.#intake = intake
    this.#taken = taken
  }
  #mustBeOpen(): void {
    if (this.#taken.fate !== 'open') throw new Error(`the reception is ${this.#taken.fate} already`)
  }
  write(chunk: Uint8Array): void | Promise<void> {
    this.#mustBeOpen()
    this.#chunks.push(chunk)
    return this.#intake.onWrite(chunk)
  }
  end(): Body {
    this.#mustBeOpen()
    const bytes = Buffer.concat(this.#chunks)
    return {
      size: bytes.length,
      bytes,
      async *open() {
        yield bytes
      },
    }
  }
  commit(headers: Headers, disposition: Disposition): Reply | readonly Reply[] | Promise<Reply | readonly Reply[]> {
    this.#mustBeOpen()
    this.#taken.fate = 'committed'
    this.#taken.disposition = disposition
    this.#taken.content = latin1(renderHeaders(headers)) + latin1(Buffer.concat(this.#chunks))
    return this.#intake.conclude(this.#taken, headers)
  }
  abort(): void {
    this.#mustBeOpen()
    this.#taken.fate = 'aborted'
  }
}

export const testIntake = (): TestIntake => ({
  taken: [],
  conclude(taken) {
    const reply = queuedAs(`q${this.taken.indexOf(taken) + 1}`)
    const refused = taken.disposition?.refused
    return refused === undefined ? reply : taken.transaction.recipients.map((_, i) => refused.get(i) ?? reply)
  },
  onWrite: () => {},
  begin(transaction) {
    if (this.refusal !== undefined) return this.refusal
    const taken: Taken = { transaction, content: '', fate: 'open' }
    this.taken.push(taken)
    return new TestReception(`q${this.taken.length}`, this, taken)
  },
})

/** Who may send where, and what the addresses of example.org are. */
const addresses = definePlugin({
  name: 'addresses',
  setup: () => ({
    rcpt: (recipient, { user }) => {
      if (recipient.to.domain !== 'example.org' && user === undefined) return pass
      return recipient.to.local === 'greylisted' ? defer(451, '4.7.1', 'Try again later') : permit
    },
    resolve: ({ to: address }) => {
      if (address.domain !== 'example.org') return { transport: 'mx', arg: address.domain }
      switch (address.local) {
        case 'bob':
        case 'carol':
        case 'Bob':
        case 'postmaster':
        case 'Postmaster':
        case 'a b':
        case 'käthe':
          return { mailbox: address.local }
        case 'team':
          return { expand: [to('bob@example.org'), to('carol@example.org'), to('bob@example.org')] }
        case 'some':
          return { expand: [to('bob@example.org'), to('nobody@example.org')] }
        case 'intl':
          return { expand: [to('käthe@example.org')] }
        case 'list':
          return { expand: [to('team@example.org'), to('carol@example.org'), to('x@far.test')], returnPath: null }
        case 'ghosts':
          return { expand: [to('nobody@example.org')] }
        case 'loop':
          return { expand: [to('pool@example.org')] }
        case 'pool':
          return { expand: [to('loop@example.org')] }
        case 'deep':
          return { expand: [to('deep1@example.org')] }
        case 'many':
          return { expand: Array.from({ length: 1001 }, (_, i) => to(`m${i}@far.test`)) }
        case 'full':
          return mailboxFull
        case 'gone':
          return { hangUp: reject(550, '5.7.1', 'Go away') }
        case 'broken':
          throw new Error('the secret of the database')
        default: {
          const deep = /^deep(\d+)$/.exec(address.local)
          return deep === null ? undefined : { expand: [to(`deep${Number(deep[1]) + 1}@example.org`)] }
        }
      }
    },
  }),
})

const named = (name: string, hooks: Hooks): Plugin => definePlugin({ name, setup: () => hooks })
const later = async <T>(value: T): Promise<T> => {
  for (let i = 0; i < 3; i += 1) await Promise.resolve()
  return value
}

/** Plugins that transcripts ask for with `#! plugins=`. */
const plugins: { readonly [name: string]: Plugin } = {
  'connect-554': named('connect-554', { connect: () => reject(550, '5.7.1', 'Listed') }),
  'connect-421': named('connect-421', { connect: () => defer(450, '4.7.1', 'Come back later') }),
  'no-ehlo': named('no-ehlo', { ehlo: name => (name === 'bad.test' ? reject(550, '5.7.1', 'Bad name') : pass) }),
  'no-sender': named('no-sender', {
    mail: sender => (sender?.local === 'spam' ? reject(550, '5.7.1', 'No spam') : pass),
  }),
  'data-veto': named('data-veto', { data: () => reject(550, '5.7.1', 'Not now') }),
  'data-hangup': named('data-hangup', { data: () => ({ hangUp: defer(421, '4.7.0', 'Enough') }) }),
  'no-subject': named('no-subject', {
    headers: h => (h.first('subject') === undefined ? reject(550, '5.7.1', 'A subject is required') : pass),
  }),
  'no-virus': named('no-virus', {
    message: ({ body }) =>
      latin1(body.bytes ?? new Uint8Array()).includes('VIRUS') ? reject(554, '5.7.1', 'Virus found') : pass,
  }),
  hold: named('hold', { message: () => ({ hold: 'looks odd' }) }),
  discard: named('discard', { message: () => ({ discard: 'trap' }) }),
  'not-carol': named('not-carol', {
    message: (_m, { accepted }) => ({
      each: new Map(accepted.map(r => [r, r.to.local === 'carol' ? reject(550, '5.7.1', 'Not for Carol') : pass])),
    }),
  }),
  nobody: named('nobody', {
    message: (_m, { accepted }) => ({ each: new Map(accepted.map(r => [r, reject(550, '5.7.1', 'For nobody')])) }),
  }),
  'rejected-promise': named('rejected-promise', { mail: () => Promise.reject(new Error('the database is down')) }),
  'no-auth': named('no-auth', { auth: ({ user }) => (user === 'eve' ? reject(535, '5.7.8', 'Not you') : pass) }),
  slow: named('slow', {
    connect: () => later(pass),
    ehlo: () => later(pass),
    mail: () => later(pass),
    rcpt: () => later(pass),
    data: () => later(pass),
    headers: () => later(pass),
    message: () => later(pass),
  }),
  keyword: definePlugin({ name: 'keyword', setup: () => ({}), provides: { ehlo: ['XHORN loud'] } }),
}

/** An event as the journal got it. */
export interface Event {
  readonly name: string
  readonly level: string | undefined
  readonly fields: Readonly<Record<string, unknown>>
}
export const testJournal = (): Journal & { readonly events: Event[] } => {
  const events: Event[] = []
  const journal: Journal & { readonly events: Event[] } = {
    events,
    event: (name, fields, level) => void events.push({ name, level, fields }),
    child: () => journal,
  }
  return journal
}

const server = { ip: '198.51.100.1', port: 25 }
const client = { ip: '192.0.2.1', port: 40_000 }
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** What a test may set; all else is an MX for example.org. */
export interface WorldOptions {
  readonly service?: 'mx' | 'lmtp' | 'submission'
  readonly limits?: Partial<Limits>
  readonly plugins?: readonly (string | Plugin)[]
  readonly overrides?: Partial<Service>
  readonly clock?: ManualClock
}
export interface World {
  readonly listener: Listener
  readonly intake: TestIntake
  readonly clock: ManualClock
  readonly events: Event[]
  readonly chain: Chain
  readonly trace: string[]
  /** A connection in memory. */
  dial: () => Client
}

export const world = async (o: WorldOptions = {}): Promise<World> => {
  const name = o.service ?? 'mx'
  const clock = o.clock ?? manualClock({ settle: turn })
  const journal = testJournal()
  const intake = testIntake()
  const trace: string[] = []
  const wanted = (o.plugins ?? []).map(p => {
    const plugin = typeof p === 'string' ? plugins[p] : p
    if (plugin === undefined) throw new Error(`no plugin ${JSON.stringify(p)}`)
    return plugin
  })
  const chain = await createChain([addresses, ...wanted], {
    host: withoutHost,
    clock,
    onVerdict: keepVerdict,
    onError: (plugin, hook, error) => journal.event('policy.error', { plugin, hook, message: String(error) }),
  })
  const service: Service = {
    name,
    origin: name,
    protocol: name === 'lmtp' ? 'lmtp' : 'smtp',
    hostname: 'mx.example.org',
    chain,
    intake,
    tls: testTls,
    limits: { sessionsPerClient: 1000, tarpitMs: 0, ...o.limits },
    trace: (_session, line) => void trace.push(line),
    ...(name === 'submission' ? { authenticator } : {}),
    ...o.overrides,
  }
  const listener = createListener(service, { clock, random: seededRandom(1), journal })
  const dial = (): Client => {
    const [ours, theirs] = duplexPair()
    listener.serve(socketWire(ours, { peer: client, local: server }))
    return new Client(theirs)
  }
  return { listener, intake, clock, events: journal.events, chain, trace, dial }
}

/** Knows ann with the password `secret`; fails inside for `broken`, never answers for `slow`. */
const authenticator: NonNullable<Service['authenticator']> = {
  async password(user, password) {
    if (user === 'broken') throw new Error('no connection to the directory at 10.0.0.1')
    if (user === 'slow') return new Promise(() => {})
    return (user === 'ann' || user === 'eve') && password === 'secret' ? { user } : undefined
  },
}

/** The client's end of a connection, as a transcript's subject. */
export class Client implements Subject {
  readonly #wire: Wire
  readonly #stream: Duplex
  #text = ''
  #closed = false
  #wake: (() => void)[] = []
  /** Pieces as they came: how often the server wrote. */
  readonly pieces: string[] = []

  constructor(stream: Duplex) {
    this.#stream = stream
    this.#wire = socketWire(stream, { peer: server, local: client })
    const closed = (): void => {
      this.#closed = true
      this.#alarm()
    }
    this.#wire.read({
      data: chunk => {
        this.#text += latin1(chunk)
        this.pieces.push(latin1(chunk))
        this.#alarm()
      },
      end: () => {
        closed()
        this.#wire.abort()
      },
      closed,
    })
  }
  #alarm(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const resolve of waiting) resolve()
  }
  /** Until something happens, or long enough to call it silence. */
  #happens(): Promise<boolean> {
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(false), 3000)
      this.#wake.push(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  async send(bytes: Uint8Array | string): Promise<void> {
    if (!this.#wire.write(bytes)) await Promise.race([this.#wire.drained(), turn()])
    await turn()
  }
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\r\n')
      if (end !== -1) {
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        return line
      }
      if (this.#closed || !(await this.#happens())) return undefined
    }
  }
  /** A whole reply; its lines joined by a bar. */
  async reply(): Promise<string | undefined> {
    const lines: string[] = []
    for (;;) {
      const line = await this.line()
      if (line === undefined) return lines.length === 0 ? undefined : lines.join('|')
      lines.push(line)
      if (line[3] !== '-') return lines.join('|')
    }
  }
  /** Send lines and read as many replies as there were. */
  async ask(...lines: readonly string[]): Promise<(string | undefined)[]> {
    await this.send(lines.map(line => `${line}\r\n`).join(''))
    const replies: (string | undefined)[] = []
    for (const _ of lines) replies.push(await this.reply())
    return replies
  }
  unread(): string | undefined {
    return this.#text === '' ? undefined : this.#text
  }
  async closed(): Promise<boolean> {
    while (!this.#closed) if (!(await this.#happens())) return false
    return true
  }
  get isClosed(): boolean {
    return this.#closed
  }
  /** Send no more, and go on reading. */
  end(): void {
    this.#stream.end()
  }
  /** Gone at once, without a word. */
  reset(): void {
    this.#stream.destroy(new Error('reset'))
  }
  /** Read no more, as a client that has stopped listening. */
  deaf(): void {
    this.#wire.pause()
  }
  async event(name: string): Promise<void> {
    if (name === 'tls') return this.secure()
    if (name === 'end') return this.end()
    throw new Error(`no event ${name}`)
  }
  /** The channel binding of its TLS (RFC 9266). */
  channelBinding(): Uint8Array {
    const key = this.#wire.channelBinding?.()
    if (key === undefined) throw new Error('no TLS to export a key of')
    return key
  }
  /** Put TLS under it, as a client. */
  async secure(): Promise<void> {
    await this.#wire.secure({ level: 'encrypt', names: ['mx.example.org'], because: 'test' })
  }
}
