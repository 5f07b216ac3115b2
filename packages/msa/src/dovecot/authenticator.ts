import type {
  Authenticator,
  Clock,
  Network,
  Random,
  SaslAnswer,
  SaslClient,
  SaslExchange,
  SaslService,
  SenderRights,
} from '@posthorn/contracts'
import { compileRights, isAddressPattern } from '../rights.ts'
import { DovecotConnection } from './connection.ts'
import { userIn, writeAuthLine, type AuthLine } from './line.ts'

/** Where Dovecot's authentication service listens: a local socket, or TCP on a network that nobody else can read. */
export type DovecotAt = { readonly path: string } | { readonly host: string; readonly port: number }

/** What asking Dovecot takes. */
export interface DovecotOptions {
  readonly at: DovecotAt
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  /** Of users whose name has none: `ann` may send as `ann` at each of these. */
  readonly domains: readonly string[]
  /** As of `openUsers`. */
  readonly delimiter?: string
  /** For a connection and its greeting; 5 seconds when absent. */
  readonly connectMs?: number
  /** Exchanges at a time; 1000 when absent. */
  readonly most?: number
  /** Told each time that it can't be reached. */
  readonly onError?: (error: unknown) => void
}

/** Users that Dovecot knows: their log-ins, and their right to send as themselves. */
export interface DovecotUsers extends Authenticator, SenderRights {
  readonly sasl: SaslService
  /** Connect now, to learn of its mechanisms before they are offered. Never rejects: who logs in tries again. */
  connect(): Promise<void>
  close(): void
}

/** Until it has said what it has. */
const presumed: readonly string[] = ['PLAIN', 'LOGIN']
/** Nobody is logged in by ANONYMOUS; EXTERNAL and what is bound to TLS need facts that are not passed on. */
const isPassedOn = ({ name, flags }: { readonly name: string; readonly flags: readonly string[] }): boolean =>
  /^[A-Z0-9_-]{1,20}$/.test(name) &&
  !name.endsWith('-PLUS') &&
  name !== 'EXTERNAL' &&
  !flags.some(flag => flag === 'anonymous' || flag === 'private')

const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64')

/** The end of an exchange, or the next challenge. Throws for a failure that is not the client's. */
const answerOf = ({ command, fields }: AuthLine): SaslAnswer => {
  if (command === 'CONT') return { challenge: Buffer.from(fields[0] ?? '', 'base64') }
  if (command === 'OK') {
    const user = userIn(fields)
    if (user === undefined) throw new Error('it let somebody in without a name that can be read')
    return { identity: { user } }
  }
  // `temp`: its database is down, and nobody knows whether the password was right.
  if (fields.includes('temp') || fields.includes('code=temp_fail')) throw new Error('a temporary failure of its own')
  return { denied: userIn(fields) ?? '' }
}

class Dovecot implements SaslService {
  mechanisms = presumed
  readonly #o: DovecotOptions
  #connection: Promise<DovecotConnection> | undefined
  #running = 0
  #closed = false

  constructor(o: DovecotOptions) {
    this.#o = o
  }
  begin(mechanism: string, client: SaslClient): SaslExchange {
    return new Exchange(this, mechanism, client)
  }
  /** The connection that is there, or a new one. One attempt serves all who wait for it. */
  connection(): Promise<DovecotConnection> {
    if (this.#closed) return Promise.reject(new Error('closed'))
    return (this.#connection ??= this.#connect().catch((error: unknown) => {
      this.#connection = undefined
      this.#o.onError?.(error)
      throw error
    }))
  }
  async #connect(): Promise<DovecotConnection> {
    const { at, network, clock, random, connectMs = 5_000 } = this.#o
    const deadline = clock.deadline(connectMs)
    try {
      const wire = await network.dial('path' in at ? { host: '', port: 0, path: at.path } : at, deadline.signal)
      const connection = new DovecotConnection(wire, () => {
        this.#connection = undefined
      })
      await connection.open(random, deadline.signal)
      this.mechanisms = connection.greeting.mechanisms.filter(isPassedOn).map(({ name }) => name)
      return connection
    } finally {
      deadline.clear()
    }
  }
  enter(): void {
    if (this.#running >= (this.#o.most ?? 1000)) throw new Error('too many exchanges at a time')
    this.#running += 1
  }
  leave(): void {
    this.#running -= 1
  }
  close(): void {
    this.#closed = true
    this.#connection?.then(
      connection => connection.close(),
      () => {},
    )
  }
}

/** One log-in. It keeps to the connection on which it began: Dovecot knows it nowhere else. */
class Exchange implements SaslExchange {
  readonly #service: Dovecot
  readonly #mechanism: string
  readonly #client: SaslClient
  #at: { readonly connection: DovecotConnection; readonly id: number } | undefined
  #over = true

  constructor(service: Dovecot, mechanism: string, client: SaslClient) {
    this.#service = service
    this.#mechanism = mechanism
    this.#client = client
  }
  async answer(response: Uint8Array | undefined, signal: AbortSignal): Promise<SaslAnswer> {
    try {
      const answer = answerOf(await this.#say(response, signal))
      if (!('challenge' in answer)) this.#end()
      return answer
    } catch (error) {
      this.#end()
      throw new Error(`Dovecot: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  async #say(response: Uint8Array | undefined, signal: AbortSignal): Promise<AuthLine> {
    if (this.#at !== undefined) {
      const { connection, id } = this.#at
      return connection.ask(id, writeAuthLine('CONT', `${id}`, base64(response ?? new Uint8Array(0))), signal)
    }
    this.#service.enter()
    this.#over = false
    const connection = await this.#service.connection()
    const id = connection.newId()
    this.#at = { connection, id }
    return connection.ask(id, this.#request(id, response), signal)
  }
  /** `resp` must come last; `nologin`: the user will not be handed on to another of its services. */
  #request(id: number, response: Uint8Array | undefined): string {
    const { ip, port, local, secure } = this.#client
    const about = [`rip=${ip}`, `rport=${port}`, `lip=${local.ip}`, `lport=${local.port}`]
    const initial = response === undefined ? [] : [`resp=${base64(response)}`]
    const facts = ['service=smtp', 'nologin', ...about, ...(secure ? ['secured'] : []), ...initial]
    return writeAuthLine('AUTH', `${id}`, this.#mechanism, ...facts)
  }
  cancel(): void {
    if (this.#over) return
    this.#at?.connection.cancel(this.#at.id)
    this.#end()
  }
  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#service.leave()
  }
}

/** A name that begins as a pattern does would be one. */
const ownAddresses = (user: string, domains: readonly string[]): readonly string[] => {
  if (user.startsWith('*')) return []
  return (user.includes('@') ? [user] : domains.map(domain => `${user}@${domain}`)).filter(isAddressPattern)
}

/**
 * Log-ins by Dovecot's authentication service (protocol 1): it is asked over one connection, made when it is first needed and again when it
 * was lost. While it can't be reached every log-in fails for now (454 4.7.0). The mechanisms are its own, once it has named them.
 */
export const dovecotUsers = (o: DovecotOptions): DovecotUsers => {
  const sasl = new Dovecot(o)
  const delimiter = o.delimiter ?? '+'
  return {
    sasl,
    maySendAs: (user, address) => compileRights(ownAddresses(user, o.domains), delimiter).includes(address),
    connect: () =>
      sasl.connection().then(
        () => undefined,
        () => undefined,
      ),
    close: () => sasl.close(),
  }
}
