import type {
  Change,
  Fate,
  Filter,
  FilterField,
  Attempt,
  Json,
  Lease,
  NewMessage,
  QueueEntry,
  QueueId,
  QueueRow,
  Share,
  Suspension,
} from '@posthorn/contracts'
import type { Changed } from '@posthorn/queue-base'

/**
 * What is asked of the store, as plain data that crosses threads as JSON. Message content stands beside it: `base` is where
 * this operation's contents begin among those of the group.
 */
export type Operation = (
  | EnqueueOp
  | ClaimOp
  | RenewOp
  | SettleOp
  | ReleaseOp
  | PauseOp
  | DisownOp
  | NextDueOp
  | ChangeOp
  | SuspendOp
  | ResumeOp
  | KvOp
  | SweepOp
) & { base?: number }

export interface StoredMessage {
  readonly key: number
  readonly nonce: number
  /** The key of the first delivery; the others follow. */
  readonly first: number
  /** Wall time in ms. */
  readonly arrived: number
  /** Head and body, in octets. */
  readonly size: number
  /** Octets in the spool file; 0 when all is in the store. */
  readonly spooled: number
  readonly message: Omit<NewMessage, 'head'>
}
export interface EnqueueOp extends StoredMessage {
  readonly do: 'enqueue'
  readonly claim?: { readonly owner: string; readonly leaseMs: number }
}
export interface ClaimOp {
  readonly do: 'claim'
  readonly owner: string
  readonly sites: number
  readonly perSite: number
  readonly leaseMs: number
  readonly skip: readonly string[]
  readonly share?: Share
}
export interface RenewOp {
  readonly do: 'renew'
  readonly leases: readonly Lease[]
  readonly leaseMs: number
}
export interface SettleItem {
  readonly lease: Lease
  readonly fate: Fate
  readonly attempt?: Attempt
  readonly warned?: boolean
  /** Its content is at `base + content`. */
  readonly report?: StoredMessage & { readonly content: number }
}
export interface SettleOp {
  readonly do: 'settle'
  readonly items: readonly SettleItem[]
}
interface ReleaseOp {
  readonly do: 'release'
  readonly leases: readonly Lease[]
  readonly due: number
  readonly why: string
}
export interface PauseOp {
  readonly do: 'pause'
  readonly site: string
  readonly until: number
  readonly why: string
}
export interface DisownOp {
  readonly do: 'disown'
  readonly owner?: string
  readonly resigns?: boolean
  readonly except?: string
}
interface NextDueOp {
  readonly do: 'nextDue'
}
export interface ChangeOp {
  readonly do: 'change'
  readonly deliveries: readonly number[]
  readonly change: Change
  readonly actor: string
  /** Why it is held, instead of who held it. */
  readonly reason?: string
}
export interface SuspendOp {
  readonly do: 'suspend'
  readonly kind: 'site' | 'sender'
  readonly name: string
  readonly actor: string
  readonly why?: string
}
export interface ResumeOp {
  readonly do: 'resume'
  readonly kind: 'site' | 'sender'
  readonly name: string
}
export interface KvOp {
  readonly do: 'kv'
  readonly act: 'get' | 'set' | 'add' | 'swap' | 'delete'
  readonly space: string
  readonly key: string
  readonly value?: Json
  readonly old?: Json
  readonly by?: number
  readonly expires?: number
}
export interface SweepOp {
  readonly do: 'sweep'
}

/** Operations that share one transaction. */
export interface Group {
  /** Wall time in ms. */
  readonly now: number
  /** The instance's monotonic time in ms, the base of leases. */
  readonly mono: number
  readonly ops: readonly Operation[]
}
export type OpResult = { readonly ok: unknown } | { readonly error: string; readonly full: boolean }

export interface GroupResult {
  /** One per operation, in their order. */
  readonly results: readonly OpResult[]
  /** The earliest due time that this group made ready. */
  readonly wake?: number
  /** Spool files whose message has left. */
  readonly unlink: readonly QueueId[]
  readonly corrupt: readonly { readonly id: QueueId; readonly why: string }[]
  /** What operators' changes did, if anything. */
  readonly changed?: readonly Changed[]
  /** Content that goes with claims. */
  readonly contents: readonly Uint8Array[]
  /** Pages in the write-ahead log, when it was looked at. */
  readonly wal?: number
  /** The store was closed and opened again after a failure of the disk. */
  readonly reopened?: boolean
}

/** A message of a claim, and its deliveries with their leases. */
export interface ClaimedMessage {
  readonly key: number
  readonly nonce: number
  readonly arrived: number
  readonly size: number
  readonly spooled: number
  readonly message: Omit<NewMessage, 'head' | 'recipients'>
  /** Index among the result's contents. */
  readonly content: number
  readonly deliveries: readonly {
    readonly delivery: number
    readonly token: number
    readonly attempts: number
    readonly warned?: number
    readonly heldMs?: number
    readonly bounce?: string
    readonly to: NewMessage['recipients'][number]
  }[]
}

/** What is asked of the reader. */
export type Query =
  | {
      readonly ask: 'list'
      readonly now: number
      readonly filter: Filter
      readonly after: number
      readonly limit: number
    }
  | { readonly ask: 'count'; readonly now: number; readonly filter: Filter; readonly by?: FilterField }
  | {
      readonly ask: 'keys'
      readonly now: number
      readonly filter: Filter
      readonly after: number
      readonly limit: number
    }
  | { readonly ask: 'show'; readonly now: number; readonly id: QueueId }
  | { readonly ask: 'suspensions' }
  | { readonly ask: 'open'; readonly id: QueueId }
  | { readonly ask: 'spooled'; readonly ids: readonly QueueId[] }

export interface Answers {
  list: { readonly rows: readonly QueueRow[]; readonly after?: number }
  count: readonly (readonly [string, number])[]
  keys: { readonly keys: readonly number[]; readonly after?: number }
  show: QueueEntry | undefined
  suspensions: readonly Suspension[]
  open: { readonly content: Uint8Array; readonly spooled: number; readonly size: number } | undefined
  spooled: readonly QueueId[]
}
