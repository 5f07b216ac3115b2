import type { Mailbox } from '@posthorn/address'
import type { Body } from '@posthorn/message'
import type { RemoteReply } from '@posthorn/reply'
import type { Awaitable } from './keyvalue.ts'

type Brand<T, B extends string> = T & { readonly [k in B]: true }
/** Of a message; printable, sorts by time, unique over nodes: 10 to 26 characters of [0-9A-Za-z]. */
export type QueueId = Brand<string, 'queueId'>
/** The route intent, `<transport>:<argument>`: `mx:example.org`, `smtp:host:25`, `lmtp:host:24`, `local:bob`, `trap:`. */
export type SiteKey = Brand<string, 'site'>
/** One running dispatcher; dies with its process. */
export type Owner = Brand<string, 'owner'>

export type Origin = 'mx' | 'submission' | 'lmtp' | 'api' | 'bounce' | 'list'
export type Notify = readonly ('success' | 'failure' | 'delay')[] | 'never'

/** By when a message is to be delivered, as its sender asked (DELIVERBY, RFC 2852). */
export interface DeliverBy {
  /** Wall time in ms. Before the message came in: then its sender has been told already. */
  readonly at: number
  /** What becomes of it when it is late: it is returned, or goes on and its sender is told. */
  readonly mode: 'return' | 'notify'
  /** The sender hears of each relay. */
  readonly trace: boolean
}

export interface Envelope {
  readonly returnPath: Mailbox | null
  readonly origin: Origin
  readonly user?: string
  /** xtext decoded (RFC 3461 §4.4). */
  readonly envid?: string
  readonly ret?: 'full' | 'hdrs'
  readonly smtputf8: boolean
  readonly body: '7bit' | '8bitmime' | 'binarymime'
  readonly requireTls: boolean
  readonly deliverBy?: DeliverBy
}

export interface NewRecipient {
  readonly to: Mailbox
  /** `type;address`, xtext decoded (RFC 3461 §4.2). */
  readonly orcpt?: string
  readonly notify?: Notify
  /** Instead of the envelope's, for a list or an alias with an owner. */
  readonly returnPath?: Mailbox | null
  readonly site: SiteKey
  /** Not before, wall time in ms; now when absent. */
  readonly due?: number
}

/** Facts of a message by name. */
export type Facts = Readonly<Record<string, unknown>>

export interface NewMessage {
  readonly envelope: Envelope
  readonly recipients: readonly NewRecipient[]
  /** Smaller goes first; 0 when absent. */
  readonly priority?: number
  /** Wall time in ms after which it is returned; the dispatcher's policy when absent. */
  readonly expires?: number
  readonly tags?: readonly string[]
  /** The reason, when it waits for an operator or a policy. */
  readonly held?: string
  /** What is worth keeping for `show`: session, client, verdicts. Plain data, since it is stored as JSON. */
  readonly facts?: Facts
  /** Bytes before the body: the trace headers and the (edited) header block with its empty line. */
  readonly head?: Uint8Array
}

/** A message being written; owned by one session, which must commit or abort it. */
export interface Draft {
  readonly id: QueueId
  /** What follows `head`. A promise means: wait before the next chunk (the disk sets the pace). Chunks may be kept. */
  write(chunk: Uint8Array): void | Promise<void>
  /** All is written. What was written, without `head`, readable until commit or abort. Rejects with StoreError. */
  end(): Awaitable<Body>
  /**
   * Resolves when the message is on stable storage: the single instant from which we are responsible for it.
   * With `claimFor` its due deliveries are leased to that owner in the same transaction, and returned with the body in memory
   * when it is small. Rejects with StoreError; then nothing was kept.
   */
  commit(message: NewMessage, claimFor?: { readonly owner: Owner; readonly leaseMs: number }): Promise<readonly Claim[]>
  abort(): Promise<void>
}

/** The store could not. `full` when room is short (452 4.3.1), else 451 4.3.0. Never an acceptance, never a 5xx. */
export interface StoreError extends Error {
  readonly name: 'StoreError'
  readonly full: boolean
}

/** The right to one delivery, until `until` (monotonic) or until the owner dies. A stale token settles nothing. */
export interface Lease {
  readonly delivery: number
  readonly token: number
}

export interface Claim extends Lease {
  readonly id: QueueId
  readonly site: SiteKey
  readonly to: NewRecipient
  /** Tries so far that reached DNS, a socket or a disk. */
  readonly attempts: number
  readonly envelope: Envelope
  readonly priority: number
  readonly tags: readonly string[]
  /** Head and body together. */
  readonly body: Body
  /** Wall time in ms. */
  readonly arrived: number
  readonly expires?: number
  /** When the sender was told of the delay, wall time in ms. */
  readonly warned?: number
  /** How long it was on hold, in ms, when it was: holding stops the clock of its expiry. */
  readonly heldMs?: number
  /** An operator wants it returned to its sender for this reason: it is to be failed, with its report, without another attempt. */
  readonly bounce?: string
}

export interface Attempt {
  /** Wall time in ms. */
  readonly at: number
  readonly phase: string
  readonly remote?: string
  readonly reply?: RemoteReply
  readonly cause: string
  /** How long it took. */
  readonly ms: number
  /** Version, cipher, and whether the certificate was as the policy asks. */
  readonly tls?: string
  /** Who asked for TLS as it was, such as `dane`. */
  readonly tlsPolicy?: string
}

export type Fate =
  | { readonly to: 'delivered' }
  | { readonly to: 'relayed' }
  | { readonly to: 'expanded' }
  | { readonly to: 'failed'; readonly why: string }
  | { readonly to: 'retry'; readonly due: number; readonly why: string }
  | { readonly to: 'unknown'; readonly due: number; readonly why: string }
  | { readonly to: 'held'; readonly why: string }
  | { readonly to: 'dropped'; readonly by: string }

/** The end of one attempt. Reports are enqueued in the same transaction, so a failure and its bounce are one step. */
export interface Settlement {
  readonly lease: Lease
  readonly fate: Fate
  /** Absent when nothing was tried; then `attempts` does not grow. */
  readonly attempt?: Attempt
  /** The sender has now been told of the delay. */
  readonly warned?: boolean
  readonly report?: { readonly id: QueueId; readonly message: NewMessage; readonly body: Uint8Array }
}

export type FilterField =
  | 'id'
  | 'site'
  | 'sender'
  | 'rcpt'
  | 'domain'
  | 'state'
  | 'age'
  | 'attempts'
  | 'size'
  | 'reply'
  | 'tag'
  | 'user'
  | 'origin'
  | 'why'
export interface Filter {
  readonly and: readonly { readonly field: FilterField; readonly op: '=' | '~' | '<' | '>'; readonly value: string }[]
}
export type DeliveryState = 'ready' | 'leased' | 'held' | 'unknown'
/** One recipient of one queued message, as an operator sees it. */
export interface QueueRow {
  readonly id: QueueId
  readonly delivery: number
  readonly state: DeliveryState
  readonly site: SiteKey
  readonly sender: string
  readonly rcpt: string
  readonly size: number
  readonly arrived: number
  readonly due: number
  readonly attempts: number
  readonly priority: number
  readonly tags: readonly string[]
  readonly last?: Attempt
  readonly why?: string
  /** What it waits for besides its due time: a pause or a suspension of its site, or its turn with the dispatcher that holds it. */
  readonly waits?: {
    readonly why: string
    /** Wall time in ms; until further notice when absent. */
    readonly until?: number
  }
}
/** All that is known of one message, also after it has left while its history is kept. */
export interface QueueEntry {
  readonly id: QueueId
  readonly envelope: Envelope
  readonly size: number
  readonly arrived: number
  readonly facts?: Facts
  readonly queued: readonly QueueRow[]
  /** What is still queued of it as it could be enqueued again, its content being that of `open`; absent when it has left. */
  readonly message?: Omit<NewMessage, 'head'>
  /** Oldest first: every attempt, settlement and operator's change. */
  readonly history: readonly HistoryRow[]
}
export interface HistoryRow {
  readonly at: number
  readonly rcpt?: string
  readonly event: string
  readonly attempt?: Attempt
  readonly detail?: string
}
/**
 * What an operator does to deliveries. `bounce`: due at once, whatever pause its site is in, and its next claim says so.
 * `why` is the operator's own words; it goes into the row, the history and the event, and into the report of a bounce.
 */
export type Change = (
  { readonly do: 'hold' | 'release' | 'retry' | 'drop' | 'bounce' } | { readonly do: 'reroute'; readonly site: SiteKey }
) & { readonly why?: string }

/** All mail for a site or from a sender; a sender is `local@domain` without regard to case, or empty for the null sender. */
export type Suspended = { readonly site: SiteKey } | { readonly sender: string }
/** A site or a sender that an operator has stopped until further notice. */
export interface Suspension {
  readonly what: Suspended
  /** Wall time in ms. */
  readonly at: number
  readonly by: string
  readonly why?: string
}

/**
 * One of several dispatchers over a queue, and all of them by name. Each claims the sites that fall to it by hash, so that windows and
 * rates of a site stay in one place; while the members change, two may for a moment work on one site.
 */
export interface Share {
  readonly self: string
  readonly members: readonly string[]
}

/** The durable queue. One interface for the embedded store, its in-memory twin and PostgreSQL; `@posthorn/testkit` has its contract suite. */
export interface Queue {
  /**
   * `sizeHint` in octets, from SIZE; `id` one of `newId` that nothing has used yet. Throws StoreError when there is no room for it,
   * RangeError for an id of another store.
   */
  begin(sizeHint?: number, id?: QueueId): Draft
  /** A fresh id, for a report or for a draft that is begun elsewhere. */
  newId(): QueueId
  /**
   * Lease due deliveries, fairly over sites, the longest-due site first. Within a site the smaller priority goes first, but an eighth
   * of `perSite` is for what has been due longest, so that haste starves nothing. `skip` leaves out sites; so does `share`, but for a
   * store that several nodes share, which need not heed it.
   */
  claim(o: {
    readonly owner: Owner
    readonly sites: number
    readonly perSite: number
    readonly leaseMs: number
    readonly skip?: ReadonlySet<SiteKey>
    readonly share?: Share
  }): Promise<readonly Claim[]>
  /** The leases that are still ours. */
  renew(leases: readonly Lease[], leaseMs: number): Promise<readonly Lease[]>
  settle(batch: readonly Settlement[]): Promise<readonly ('ok' | 'stale')[]>
  /** Give back untried. */
  release(leases: readonly Lease[], due: number, why: string): Promise<void>
  /** Nothing of that site is claimed before `until` (wall time in ms). */
  pause(site: SiteKey, until: number, why: string): Promise<void>
  /**
   * Free the leases of an owner that is gone, or of all but `except`; says how many. What it had in hand was interrupted, unless it
   * `resigns`, giving up in good order what it has. So is what a lease was left to run out on, or a crash. A delivery that is interrupted
   * again and again, and never settled, is first put off (`delivery.interrupted`) and at last held (`delivery.held`).
   */
  disown(o: { readonly owner: Owner; readonly resigns?: boolean } | { readonly except: Owner }): Promise<number>
  /** Wall time in ms of the next due delivery or lease end. */
  nextDue(): Promise<number | undefined>
  /** Called when there may be something due. The result unsubscribes. */
  onWake(call: () => void): () => void
  /**
   * In the order they came in; `after` goes on where a page ended. A page that took long to fill is short, or even empty, and its
   * `after` says that there may be more: only a page without `after` is the last. Rejects with RangeError on a filter that
   * makes no sense.
   */
  list(
    f: Filter,
    o: { readonly after?: string; readonly limit: number },
  ): Promise<{ readonly rows: readonly QueueRow[]; readonly after?: string }>
  /** Deliveries by the value of a field; without one, all of them under the key `all`. */
  count(f: Filter, by?: FilterField): Promise<ReadonlyMap<string, number>>
  show(id: QueueId): Promise<QueueEntry | undefined>
  /** The message as it would be sent now, for an operator. */
  open(id: QueueId): Promise<Body | undefined>
  /**
   * Says how many. A delivery that is being attempted is changed when its attempt ends without success. Each one changed leaves a
   * row in the history and an event in the journal (`delivery.held`, `.released`, `.retried`, `.rerouted`, `.dropped`, or
   * `.condemned` for a bounce), both of which name the actor.
   */
  change(f: Filter, c: Change, actor: string, o?: { readonly dryRun?: boolean }): Promise<number>
  /**
   * Stop all mail for a site, which is then not claimed, or from a sender, which is held: what waits, and what comes in. Says how
   * many deliveries waited; a pause by a dispatcher does not end it. Leases already given run on.
   */
  suspend(what: Suspended, actor: string, o?: { readonly why?: string; readonly dryRun?: boolean }): Promise<number>
  /** Go on, releasing what was held for that sender; the time of it counts as time on hold. Undefined when it was not suspended. Says how many deliveries waited. */
  resume(what: Suspended, actor: string, o?: { readonly dryRun?: boolean }): Promise<number | undefined>
  /** All of them, oldest first. */
  suspensions(): Promise<readonly Suspension[]>
  /** Finish what is being committed, then close the store. */
  close(): Promise<void>
}
