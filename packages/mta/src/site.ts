import { parseSite } from '@posthorn/intake'
import type { Claim, Outcome, Phase, Route, SiteKey } from '@posthorn/contracts'
import type { Lane, Pool } from './lane.ts'
import { newParcel, parcelKey, splitParcel } from './parcel.ts'
import type { Parcel } from './parcel.ts'

/** One next hop as this dispatcher knows it: what waits for it here, and whether it has answered lately. */
export class Site {
  readonly key: SiteKey
  /** Where its mail goes unless the `route` hook says otherwise; undefined when the key cannot be read. */
  readonly route: Route | undefined
  readonly pool: Pool
  lane: Lane
  /** Oldest first. */
  readonly waiting: Map<string, Parcel> = new Map()
  /** Claims in `waiting`. */
  waitingClaims = 0
  running = 0
  /** What `egress` said of the connection, and until when (monotonic ms) that holds. */
  egress: { readonly source?: string; readonly messagesPerConnection?: number } | undefined
  egressUntil = -1
  /** Wall ms until which the queue hands out nothing of it. */
  pausedUntil = 0
  /** What it may do next is being found out: `egress` is asked, or the rate makes it wait. */
  busy = false
  lastUsed = 0
  /** Attempts in a row that did not get through to it. */
  #failures = 0
  /** How many of them make it dead: the window at the time of the first. */
  #cohort = 1
  /** Pauses in a row. */
  pauses = 0
  /** Grows each time it is given up. */
  life = 0
  /** Some attempt of the present run of failures was of a message with time left. */
  young = false

  constructor(key: SiteKey, pool: Pool, lane: Lane) {
    this.key = key
    this.route = routeOf(key)
    this.pool = pool
    this.lane = lane
  }

  /** Put a claim with its message's others; says whether that made a new parcel. */
  add(claim: Claim, until: number): Parcel | undefined {
    const key = parcelKey(claim)
    this.waitingClaims++
    const parcel = this.waiting.get(key)
    if (parcel === undefined) {
      const fresh = newParcel(claim, key, until)
      this.waiting.set(key, fresh)
      return fresh
    }
    parcel.claims.push(claim)
    parcel.open++
    if (until < parcel.until) parcel.until = until
    return undefined
  }

  /** Take out the oldest parcel, with at most `most` recipients. `rest` is what stays of it, as a parcel of its own. */
  next(most: number): { readonly parcel: Parcel; readonly rest: Parcel | undefined } | undefined {
    for (const parcel of this.waiting.values()) {
      const rest = splitParcel(parcel, most)
      if (rest === undefined) this.waiting.delete(parcel.key)
      else this.waiting.set(parcel.key, rest)
      this.waitingClaims -= parcel.claims.length
      return { parcel, rest }
    }
    return undefined
  }

  /** Leave only these claims of a waiting parcel. */
  keepOnly(parcel: Parcel, claims: Claim[]): void {
    if (this.waiting.get(parcel.key) !== parcel) return
    this.waitingClaims -= parcel.claims.length - claims.length
    parcel.claims = claims
    if (claims.length === 0) this.waiting.delete(parcel.key)
  }

  /** The peer was there. */
  answered(): void {
    this.#failures = 0
    this.pauses = 0
    this.young = false
  }
  /** It was not; says whether a whole window's worth of attempts in a row found so (one failed cohort, as Postfix has it). */
  unreachable(): boolean {
    if (this.#failures++ === 0) this.#cohort = this.pauses > 0 ? 1 : this.lane.window.size
    return this.#failures >= this.#cohort
  }
  /** Start counting failures anew, since the site is paused for them now or, without `until`, is tried on regardless. */
  buried(until?: number): void {
    this.#failures = 0
    this.young = false
    this.life++
    if (until === undefined) return
    this.pauses++
    this.pausedUntil = until
  }
}

/** The route that a site key stands for. */
const routeOf = (key: SiteKey): Route | undefined => {
  const { transport, arg } = parseSite(key)
  if (transport === 'mx') return arg === '' ? undefined : { via: 'mx', domain: arg }
  if (transport !== 'smtp' && transport !== 'lmtp') return { via: 'transport', name: transport, arg }
  // The port follows the last colon, so that IPv6 addresses need no brackets.
  const colon = arg.lastIndexOf(':')
  const port = Number(arg.slice(colon + 1))
  const host = arg.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  if (colon < 1 || host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  return { via: transport, host, port }
}

/** Phases before a word can be said about any message. */
const beforeMail: ReadonlySet<Phase> = new Set(['dns', 'connect', 'banner', 'ehlo', 'tls', 'auth'])

/** The peer could not be reached or would not talk to us at all: no word about a message. */
export const isUnreachable = ({ fate, phase, reply, notTried }: Outcome): boolean => {
  if (notTried === true || (fate !== 'deferred' && fate !== 'failed')) return false
  return reply?.code === 421 || (fate === 'deferred' && beforeMail.has(phase))
}
