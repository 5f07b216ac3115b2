import { Noting } from '@posthorn/plugin'
import type { OnConnect, OnHello, Slot } from '@posthorn/plugin'
import type { TlsFacts, Verdict } from '@posthorn/contracts'

/** Who connected: for `connect` and `closed`. Its end aborts whatever plugins still do for the session. */
export class ConnectionContext extends Noting implements OnConnect {
  readonly service: string
  readonly session: string
  readonly ip: string
  readonly port: number

  constructor(facts: Pick<OnConnect, 'service' | 'session' | 'ip' | 'port'>) {
    super()
    this.service = facts.service
    this.session = facts.session
    this.ip = facts.ip
    this.port = facts.port
  }
}

/** What the client says it is. Every EHLO has its own; their slots and verdicts are shared until TLS begins (RFC 3207 §4.2). */
export class HelloContext extends Noting implements OnHello {
  readonly connection: ConnectionContext
  readonly helo: string
  readonly tls: TlsFacts | undefined
  readonly service: string
  readonly session: string
  readonly ip: string
  readonly port: number
  readonly #home: HelloContext | undefined

  constructor(connection: ConnectionContext, tls: TlsFacts | undefined, helo = '', home?: HelloContext) {
    super(connection)
    this.connection = connection
    this.helo = helo
    this.tls = tls
    this.service = connection.service
    this.session = connection.session
    this.ip = connection.ip
    this.port = connection.port
    this.#home = home
  }
  /** The same dialogue under another name. */
  named(helo: string): HelloContext {
    return new HelloContext(this.connection, this.tls, helo, this.#home ?? this)
  }
  override get<T>(slot: Slot<T>): T | undefined {
    return this.#home === undefined ? super.get(slot) : this.#home.get(slot)
  }
  override set<T>(slot: Slot<T>, value: T): void {
    if (this.#home === undefined) super.set(slot, value)
    else this.#home.set(slot, value)
  }
  override get verdicts(): readonly Verdict[] {
    return this.#home === undefined ? super.verdicts : this.#home.verdicts
  }
  override note(verdict: Verdict): void {
    if (this.#home === undefined) super.note(verdict)
    else this.#home.note(verdict)
  }
}
