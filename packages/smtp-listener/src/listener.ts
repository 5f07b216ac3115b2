import { encodeReply, shuttingDown, tooBusy, tooManyConnections } from '@posthorn/reply'
import type { Wire } from '@posthorn/contracts'
import type { Defer } from '@posthorn/reply'
import { Desk } from './desk.ts'
import { Engine } from './engine.ts'
import { networks } from './networks.ts'
import { Session } from './session.ts'
import type { Host } from './host.ts'
import type { Proxies } from './engine.ts'
import type { ListenAt, Listener, ListenerDependencies, Service } from './service.ts'

class Doorway implements Listener, Host {
  readonly #desk: Desk
  readonly #engines: Engine[] = []
  readonly #sessions = new Set<Session>()
  readonly #perClient = new Map<string, number>()
  #draining = false
  #whenEmpty: (() => void)[] = []

  constructor(service: Service, deps: ListenerDependencies) {
    this.#desk = new Desk(service, deps)
  }

  get sessions(): number {
    return this.#sessions.size
  }

  async listen(at: ListenAt): Promise<{ readonly host: string; readonly port: number }> {
    const engine = new Engine(wire => this.serve(wire), this.#proxies())
    const bound = await engine.open(at)
    this.#engines.push(engine)
    return bound
  }

  #proxies(): Proxies | undefined {
    const { service, clock, limits, journal } = this.#desk
    if (service.proxies === undefined || service.proxies.length === 0) return undefined
    return {
      clock,
      ms: limits.proxyMs,
      trusted: networks(service.proxies),
      refused: (ip, why) =>
        journal.event('session.refused', { service: service.name, ip, why: `PROXY: ${why}` }, 'warn'),
    }
  }

  serve(wire: Wire): void {
    const refusal = this.#refusal(wire.peer.ip)
    if (refusal !== undefined) return this.#turnAway(wire, refusal)
    const session = new Session(this.#desk, wire, this)
    this.#count(wire.peer.ip, 1)
    this.#sessions.add(session)
    this.#weigh()
    session.start()
  }
  #refusal(ip: string): Defer | undefined {
    if (this.#draining) return shuttingDown
    if (this.#sessions.size >= this.#desk.limits.sessions) return tooBusy
    return this.#count(ip, 0) >= this.#desk.limits.sessionsPerClient ? tooManyConnections : undefined
  }
  /** The sessions of a client. Those of one that speaks for others are not its own. */
  #count(ip: string, change: -1 | 0 | 1): number {
    if (this.#desk.mayIntroduce(ip)) return 0
    const count = (this.#perClient.get(ip) ?? 0) + change
    if (count === 0) this.#perClient.delete(ip)
    else if (change !== 0) this.#perClient.set(ip, count)
    return count
  }
  moved(from: string, to: string): Defer | undefined {
    this.#count(from, -1)
    return this.#count(to, 1) > this.#desk.limits.sessionsPerClient ? tooManyConnections : undefined
  }
  /** 421 instead of the greeting, and no session (RFC 5321 §3.8). */
  #turnAway(wire: Wire, reply: Defer): void {
    const { name } = this.#desk.service
    this.#desk.journal.event('session.refused', { service: name, ip: wire.peer.ip, reply: reply.lines[0] })
    // Before TLS a line of text would be no reply; the client sees the connection end.
    if (this.#desk.service.implicitTls === true && wire.tls === undefined) return wire.abort()
    wire.read({ data: () => {}, end: () => {}, closed: () => {} })
    wire.write(encodeReply(reply))
    wire.close()
  }
  left(session: Session): void {
    this.#sessions.delete(session)
    this.#weigh()
    this.#count(session.connection.ip, -1)
    if (this.#sessions.size > 0) return
    const waiting = this.#whenEmpty
    this.#whenEmpty = []
    for (const resolve of waiting) resolve()
  }

  /** Under stress from nine tenths of the sessions on, until seven tenths are left. */
  #weigh(): void {
    const share = this.#sessions.size / this.#desk.limits.sessions
    if (this.#desk.stressed === share >= (this.#desk.stressed ? 0.7 : 0.9)) return
    this.#desk.stressed = !this.#desk.stressed
    const { stressed, journal, service } = this.#desk
    const level = stressed ? 'warn' : 'info'
    journal.event('service.stress', { service: service.name, stressed, sessions: this.#sessions.size }, level)
    if (stressed) for (const session of this.#sessions) session.hurry()
  }

  async drain(graceMs: number): Promise<void> {
    this.#shut()
    for (const session of this.#sessions) session.drain()
    if (this.#sessions.size === 0) return
    let cancel = (): void => {}
    const grace = new Promise<void>(resolve => {
      cancel = this.#desk.clock.after(graceMs, resolve)
    })
    await Promise.race([this.#empty(), grace])
    cancel()
    await this.close()
  }
  async close(): Promise<void> {
    this.#shut()
    for (const session of this.#sessions) session.cut()
    if (this.#sessions.size > 0) await this.#empty()
  }
  #shut(): void {
    this.#draining = true
    for (const engine of this.#engines) engine.shut()
  }
  #empty(): Promise<void> {
    return new Promise(resolve => this.#whenEmpty.push(resolve))
  }
}

/**
 * A listening service, not yet listening. Throws RangeError when the host name is no domain, a mechanism does not exist or cannot work,
 * implicit TLS has no certificate, or what is trusted is no network.
 */
export const createListener = (service: Service, deps: ListenerDependencies): Listener => new Doorway(service, deps)
