import type { Answer, Clock, Random, Resolver } from '@posthorn/contracts'
import { createCache } from './cache.ts'
import { exchange } from './exchange.ts'
import { createFlights } from './flights.ts'
import { createGate } from './gate.ts'
import { isIpText } from './name.ts'
import { questions } from './questions.ts'
import type { Reading } from './reading.ts'
import { readReply } from './reading.ts'
import type { RecordType, RecordValue } from './record.ts'
import { parseServer, systemServers } from './servers.ts'
import type { Servers } from './servers.ts'

/** How to resolve. Times in milliseconds. */
export interface ResolverOptions {
  /** `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:5353`; those of /etc/resolv.conf when absent, read again on change. */
  readonly servers?: readonly string[]
  readonly clock: Clock
  readonly random: Random
  /** For one server's reply; 2,000 when absent. */
  readonly timeoutMs?: number
  /** How often every server is tried; 2 when absent. */
  readonly rounds?: number
  /** For the whole look-up, CNAMEs included; 10,000 when absent. */
  readonly overallMs?: number
  /** Answers remembered; 10,000 when absent, 0 for none. */
  readonly cacheSize?: number
  /** Octets of answers remembered; 16 MiB when absent. */
  readonly cacheBytes?: number
  /**
   * Whether the servers' word that an answer was validated counts (`secure`). When absent it does for servers on loopback and
   * where resolv.conf says `options trust-ad`: over a network anybody could set that bit.
   */
  readonly trustAd?: boolean
  /** Spell names in random case and demand it back: more bits to guess. Off when absent; a few servers cannot do it. */
  readonly mixedCase?: boolean
}

/** A resolver with sockets of its own. */
export interface DnsResolver extends Resolver {
  /** Ends what is under way; from then on every look-up is `servfail`. */
  close(): void
  /** Answers remembered now. */
  readonly cached: number
}

/** Sockets open at once; more look-ups wait their turn. */
const mostSockets = 256
/** What an answer costs in memory beyond its octets, roughly. */
const entryOverhead = 300

interface Settled<T> {
  readonly answer: Answer<T>
  /** In seconds; 0: not to be remembered. */
  readonly lifetime: number
  /** Octets received for it. */
  readonly weight: number
}
interface Reply<T> {
  readonly reading: Exclude<Reading<T>, 'broken'>
  readonly size: number
}
const failed = (why: 'servfail' | 'timeout'): Settled<never> => ({
  answer: { ok: false, why, secure: false },
  lifetime: 0,
  weight: 0,
})

const mixCase = (name: string, random: Random): string => {
  const bits = random.bytes(name.length)
  return name.replace(/[a-z]/g, (letter, at: number) => ((bits[at] ?? 0) & 1 ? letter.toUpperCase() : letter))
}

/** Older by `age` seconds, as told to whoever asks now. */
const aged = <T>(answer: Answer<T>, age: number): Answer<T> =>
  answer.ok && age > 0 ? { ...answer, ttl: Math.max(0, answer.ttl - age) } : answer

/**
 * A stub resolver: asks recursive servers over UDP and TCP, remembers, and shares equal questions under way. Never rejects but
 * with the caller's signal's reason. `records` of an answer is never empty; names in it are host names.
 * Throws TypeError when `servers` cannot be read.
 */
export const createResolver = (o: ResolverOptions): DnsResolver => {
  const { clock, random, timeoutMs = 2000, rounds = 2, overallMs = 10_000 } = o
  const fixed = o.servers?.map(server => parseServer(server, o.trustAd))
  const servers: Servers = fixed === undefined ? systemServers(clock, undefined, o.trustAd) : () => fixed
  const cache = createCache<Answer<unknown>>(clock, o.cacheSize ?? 10_000, o.cacheBytes ?? 16 * 1024 * 1024)
  const flights = createFlights<Answer<unknown>>()
  const gate = createGate(mostSockets)
  let closed = false
  // The place in the list of the server that answered last: a dead first server costs one time-out, not one for each name.
  let lively = 0

  const askOne = async <T extends RecordType>(
    name: string,
    type: T,
    hops: number,
    at: number,
    signal: AbortSignal,
  ): Promise<Reply<RecordValue[T]> | 'servfail' | 'timeout'> => {
    const list = servers()
    const server = list[at % list.length]
    if (server === undefined) return 'servfail'
    const exactCase = o.mixedCase === true
    const [high = 0, low = 0] = random.bytes(2)
    const query = { id: high * 256 + low, name: exactCase ? mixCase(name, random) : name, type, exactCase }
    const leave = await gate.enter(signal)
    const deadline = clock.deadline(timeoutMs, signal)
    const message = await exchange(query, server, deadline.signal)
    deadline.clear()
    leave()
    if (typeof message === 'string') return message === 'timeout' ? 'timeout' : 'servfail'
    const reading = readReply(message, name, type, message.authentic && server.trusted, hops)
    if (reading === 'broken') return 'servfail'
    lively = at % list.length
    return { reading, size: message.size }
  }

  const askAll = async <T extends RecordType>(
    name: string,
    type: T,
    hops: number,
    signal: AbortSignal,
  ): Promise<Reply<RecordValue[T]> | 'servfail' | 'timeout'> => {
    let why: 'servfail' | 'timeout' = 'timeout'
    const first = lively
    for (let tries = 0; tries < rounds * servers().length && !signal.aborted; tries++) {
      const reply = await askOne(name, type, hops, first + tries, signal)
      if (typeof reply !== 'string') return reply
      if (reply === 'servfail') why = reply
    }
    return why
  }

  const follow = async <T extends RecordType>(
    name: string,
    type: T,
    signal: AbortSignal,
  ): Promise<Settled<RecordValue[T]>> => {
    let [asked, hops, ttl, secure, weight] = [name, 0, Infinity, true, entryOverhead]
    // Ends: each reply that is followed costs at least one of the few hops.
    for (;;) {
      const reply = await askAll(asked, type, hops, signal)
      if (typeof reply === 'string') return failed(reply)
      const { reading, size } = reply
      weight += size
      if ('follow' in reading) {
        asked = reading.follow
        hops = reading.hops
        ttl = Math.min(ttl, reading.ttl)
        secure &&= reading.secure
        continue
      }
      const { answer } = reading
      const lifetime = Math.min(reading.lifetime, ttl)
      const all = { secure: secure && answer.secure }
      if (!answer.ok) return { answer: { ...answer, ...all }, lifetime, weight }
      const canonical = answer.canonical ?? (asked === name ? undefined : asked)
      const chained = { ...answer, ...all, ttl: lifetime, ...(canonical !== undefined && { canonical }) }
      return { answer: chained, lifetime, weight }
    }
  }

  const bounded = async <T extends RecordType>(
    name: string,
    type: T,
    signal: AbortSignal,
  ): Promise<Settled<RecordValue[T]>> => {
    const overall = clock.deadline(overallMs, signal)
    try {
      return await follow(name, type, overall.signal)
    } catch {
      // Only waiting at the gate rejects, with the deadline's reason.
      return failed('timeout')
    } finally {
      overall.clear()
    }
  }

  const resolve = async <T extends RecordType>(
    name: string | undefined,
    type: T,
    signal?: AbortSignal,
  ): Promise<Answer<RecordValue[T]>> => {
    signal?.throwIfAborted()
    if (closed) return failed('servfail').answer
    if (name === undefined) return { ok: false, why: 'nxdomain', secure: false }
    if (isIpText(name)) return { ok: false, why: 'nodata', secure: false }
    const key = `${type} ${name}`
    const known = cache.get(key)
    const answer = known
      ? aged(known.value, known.age)
      : await flights.join(
          key,
          async shared => {
            const settled = await bounded(name, type, shared)
            cache.set(key, settled.answer, settled.lifetime, settled.weight)
            return settled.answer
          },
          signal,
        )
    // The key holds the type, so that the cast is sound.
    return answer as Answer<RecordValue[T]>
  }

  return {
    ...questions(resolve),
    close: () => {
      closed = true
      flights.abort(new Error('the resolver was closed'))
      cache.clear()
    },
    get cached() {
      return cache.size
    },
  }
}
