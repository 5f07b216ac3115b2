import type { Endpoint, Network, Random, Wire, WireReader } from '@posthorn/contracts'
import { happens } from './trouble.ts'
import type { Trouble } from './trouble.ts'
import { forever } from './world.ts'
import type { Life, World } from './world.ts'

/** Octets under way beyond which a writer is told to wait. */
const window = 65_536

const fault = (code: string, what: string): Error => Object.assign(new Error(`${what} ${code}`), { code })

type Cargo = { readonly bytes: Uint8Array } | { readonly end: true } | { readonly reset: true }

/** Who answers at an address and port. */
interface Service {
  readonly life: Life
  readonly serve: (wire: Wire) => void
}

/** Hosts, wires between them, and what can go wrong with those. No sockets. */
export class SimulatedNetwork {
  readonly world: World
  readonly random: Random
  readonly trouble: Trouble
  readonly #services = new Map<string, Service>()
  readonly #partitions = new Map<string, number>()
  readonly #wires = new Set<SimulatedWire>()
  #port = 40_000

  constructor(world: World, trouble: Trouble) {
    this.world = world
    this.random = world.chance('network')
    this.trouble = trouble
  }

  /** Something answers; the life is that of the host. */
  attach(ip: string, port: number, service: Service): void {
    this.#services.set(`${ip} ${port}`, service)
  }

  /** Nothing passes between two hosts for `ms`: what is sent waits, as it does in TCP. */
  partition(a: string, b: string, ms: number): void {
    this.#partitions.set(pair(a, b), this.world.now + ms)
    this.world.log('network', `no way between ${a} and ${b} for ${Math.round(ms / 1000)} s`)
  }
  /** Until when nothing passes, in virtual ms. */
  blockedUntil(a: string, b: string): number {
    return this.#partitions.get(pair(a, b)) ?? 0
  }
  healAll(): void {
    this.#partitions.clear()
  }

  /** A host is gone. With `silently` its peers hear of it only after `ms`, when it is back and knows nothing of them. */
  lose(life: Life, silentMs: number): void {
    for (const wire of this.#wires) if (wire.life === life) wire.die(silentMs)
  }

  /** The network as seen by one life at an address. */
  from(ip: string, life: Life = forever): Network {
    return { dial: (to, signal) => this.#dial({ ip, life }, to, signal) }
  }

  #dial(
    from: { readonly ip: string; readonly life: Life },
    to: { readonly host: string; readonly port: number },
    signal: AbortSignal | undefined,
  ): Promise<Wire> {
    const { world, random, trouble } = this
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const settle = (ms: number, call: () => void): (() => void) =>
        world.after(
          ms,
          () => {
            signal?.removeEventListener('abort', onAbort)
            call()
          },
          from.life,
        )
      const lost = happens(random, trouble.unreachable) || this.blockedUntil(from.ip, to.host) > world.now
      const latency = 1 + random.next() * 80
      const cancel = lost
        ? settle(random.next() < 0.5 ? latency : 130_000, () => reject(fault('ETIMEDOUT', `connect ${to.host}`)))
        : settle(latency, () => {
            const service = this.#services.get(`${to.host} ${to.port}`)
            if (service === undefined || !service.life.alive)
              return reject(fault(service === undefined ? 'EHOSTUNREACH' : 'ECONNREFUSED', `connect ${to.host}`))
            resolve(this.#join(from, to, service))
          })
    })
  }

  #join(
    from: { readonly ip: string; readonly life: Life },
    to: { readonly host: string; readonly port: number },
    service: Service,
  ): Wire {
    const here = { ip: from.ip, port: this.#port++ }
    const there = { ip: to.host, port: to.port }
    const near = new SimulatedWire(this, { peer: there, local: here, life: from.life })
    const far = new SimulatedWire(this, { peer: here, local: there, life: service.life })
    near.joined(far)
    far.joined(near)
    this.#wires.add(near).add(far)
    this.world.after(this.random.next() * 5, () => service.serve(far), service.life)
    return near
  }
  forget(wire: SimulatedWire): void {
    this.#wires.delete(wire)
  }
}

const pair = (a: string, b: string): string => (a < b ? `${a} ${b}` : `${b} ${a}`)

/** One end of a connection. What is written arrives later, in pieces, in order, if it arrives. */
class SimulatedWire implements Wire {
  readonly peer: Endpoint
  readonly local: Endpoint
  readonly tls: undefined
  readonly life: Life
  readonly #network: SimulatedNetwork
  #other: SimulatedWire | undefined
  #reader: WireReader | undefined
  #paused = true
  #inbox: Cargo[] = []
  /** We wrote our last. */
  #closing = false
  /** The peer wrote its last. */
  #ended = false
  #closed = false
  #underWay = 0
  /** When the latest piece arrives at the other end. */
  #arrival = 0
  #waiting: (() => void)[] = []

  constructor(
    network: SimulatedNetwork,
    o: { readonly peer: Endpoint; readonly local: Endpoint; readonly life: Life },
  ) {
    this.#network = network
    this.peer = o.peer
    this.local = o.local
    this.life = o.life
  }
  joined(other: SimulatedWire): void {
    this.#other = other
  }

  read(reader: WireReader): void {
    const first = this.#reader === undefined
    this.#reader = reader
    if (this.#closed) this.#later(() => reader.closed())
    else if (first) this.resume()
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.#later(() => this.#flow())
  }
  #flow(): void {
    while (!this.#closed && (this.#closing || (!this.#paused && this.#reader !== undefined))) {
      const cargo = this.#inbox.shift()
      if (cargo === undefined) return
      this.#take(cargo)
    }
  }
  #take(cargo: Cargo): void {
    if ('bytes' in cargo) {
      if (!this.#closing) this.#reader?.data(cargo.bytes)
    } else if ('end' in cargo) {
      this.#ended = true
      if (this.#closing) this.#over()
      else this.#reader?.end()
    }
  }

  write(bytes: Uint8Array | string): boolean {
    if (this.#closing || this.#closed) return false
    const { random, trouble, world } = this.#network
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    const isAcceptance = typeof bytes === 'string' && /^250 2\.0\.0 /m.test(bytes)
    if (isAcceptance && happens(random, trouble.lostReply)) {
      world.log('network', `a reply from ${this.local.ip} to ${this.peer.ip} is lost after the dot`)
      this.cut()
      return true
    }
    // Mostly whole, now and then in two or three pieces.
    const cuts =
      random.next() < 0.2 ? [random.int(all.byteLength + 1), random.int(all.byteLength + 1)].sort((a, b) => a - b) : []
    let at = 0
    for (const end of [...cuts, all.byteLength]) {
      if (end > at) this.#send({ bytes: all.subarray(at, end) }, end - at)
      at = Math.max(at, end)
    }
    return this.#underWay < window
  }
  #send(cargo: Cargo, size: number): void {
    const { world, random, trouble } = this.#network
    if (size > 0 && happens(random, trouble.cut)) {
      world.log('network', `the connection of ${this.local.ip} and ${this.peer.ip} breaks`)
      return this.cut()
    }
    this.#underWay += size
    this.#arrival = Math.max(this.#arrival, world.now + 0.2 + random.next() * 20)
    this.#deliver(cargo, size, this.#arrival)
  }
  #deliver(cargo: Cargo, size: number, at: number): void {
    const { world } = this.#network
    const other = this.#other
    if (other === undefined) return
    world.after(
      at - world.now,
      () => {
        const blocked = this.#network.blockedUntil(this.local.ip, this.peer.ip)
        if (blocked > world.now) return this.#deliver(cargo, size, blocked)
        this.#underWay -= size
        this.#drain()
        other.#arrive(cargo)
      },
      other.life,
    )
  }
  #arrive(cargo: Cargo): void {
    if (this.#closed) return
    if ('reset' in cargo) return this.#over(fault('ECONNRESET', 'read'))
    this.#inbox.push(cargo)
    this.#flow()
  }
  #drain(): void {
    if (this.#underWay >= window && !this.#closed) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
  drained(): Promise<void> {
    if (this.#closed || this.#underWay < window) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  secure(): Promise<never> {
    this.abort()
    return Promise.reject(new Error('there is no TLS in the simulation'))
  }
  secureServer(): Promise<never> {
    return this.secure()
  }

  close(): void {
    if (this.#closing || this.#closed) return
    this.#send({ end: true }, 0)
    this.#closing = true
    this.#flow()
    if (this.#ended) return this.#later(() => this.#over())
    this.#network.world.after(10_000, () => this.#over(), this.life)
  }
  abort(): void {
    if (this.#closed) return
    this.#closing = true
    this.#send({ reset: true }, 0)
    this.#later(() => this.#over())
  }
  /** The network breaks it: what is under way is lost. */
  cut(): void {
    const reset = fault('ECONNRESET', 'read')
    this.#later(() => this.#over(reset))
    const other = this.#other
    if (other !== undefined) other.#later(() => other.#over(reset))
  }
  /** The host is gone. */
  die(silentMs: number): void {
    this.#closed = true
    this.#network.forget(this)
    const other = this.#other
    if (other !== undefined)
      this.#network.world.after(silentMs, () => other.#over(fault('ECONNRESET', 'read')), other.life)
  }

  #later(call: () => void): void {
    this.#network.world.after(0.05, call, this.life)
  }
  #over(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#network.forget(this)
    this.#inbox = []
    this.#drain()
    this.#reader?.closed(error)
  }
}
