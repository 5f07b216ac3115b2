import { parseSite } from '@posthorn/intake'
import type { Claim, Job, QueueId, Route, SiteKey } from '@posthorn/contracts'
import type { Lane, Pool } from './lane.ts'
import { newParcel, parcelKey, splitParcel } from './parcel.ts'
import type { Parcel } from './parcel.ts'

/** Routes of one site that are told apart: more than plugins have reason to name. */
const mostRoutes = 32

/** One next hop as this dispatcher knows it, and what waits for it here. */
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
  /** What `egress` or the operator said of the connection. */
  egress: Job['egress']
  /** Monotonic ms until which its lane is known. */
  shapedUntil = -1
  /** Wall ms until which the queue hands out nothing of it. */
  pausedUntil = 0
  /** What it may do next is being found out. */
  busy = false
  lastUsed = 0
  /** Its own and what the `route` hook said, by their text. */
  readonly #routes = new Map<string, Route>()

  constructor(key: SiteKey, pool: Pool, lane: Lane) {
    this.key = key
    this.route = routeOf(key)
    this.pool = pool
    this.lane = lane
    lane.sites.add(this)
  }

  /** What is under way goes on in the lane in which it began. */
  moveTo(lane: Lane): void {
    this.lane.blocked.delete(this)
    this.lane.allowance?.waiting.delete(this)
    this.lane.sites.delete(this)
    this.lane = lane
    lane.sites.add(this)
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

  /** Why a message that waits here waits; undefined when it does not. */
  whyWaits(id: QueueId): string | undefined {
    const parcel = this.waiting.get(id) ?? [...this.waiting.values()].find(({ claims }) => claims[0]?.id === id)
    if (parcel === undefined) return undefined
    const { allowance } = this.lane
    if (allowance?.waiting.has(this) !== true) return 'waits for its turn'
    return allowance.hasRoom ? allowance.why : allowance.whyNoRoom
  }

  /** The same object for every route that reads the same, so that what is known of a route is found by it. */
  known(route: Route): Route {
    if (this.#routes.size === 0) this.#forgetRoutes()
    const text = JSON.stringify(route)
    const known = this.#routes.get(text)
    if (known !== undefined) return known
    if (this.#routes.size >= mostRoutes) this.#forgetRoutes()
    this.#routes.set(text, route)
    return route
  }

  #forgetRoutes(): void {
    this.#routes.clear()
    if (this.route !== undefined) this.#routes.set(JSON.stringify(this.route), this.route)
  }

  /** Leave only these claims of a waiting parcel. */
  keepOnly(parcel: Parcel, claims: Claim[]): void {
    if (this.waiting.get(parcel.key) !== parcel) return
    this.waitingClaims -= parcel.claims.length - claims.length
    parcel.claims = claims
    if (claims.length === 0) this.waiting.delete(parcel.key)
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
