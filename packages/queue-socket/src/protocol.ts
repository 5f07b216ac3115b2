import { isStoreError, storeError } from '@posthorn/queue-base'
import type {
  Change,
  Claim,
  Filter,
  FilterField,
  Json,
  Lease,
  NewMessage,
  Owner,
  Queue,
  QueueEntry,
  QueueId,
  Settlement,
  SiteKey,
  Suspended,
  Suspension,
} from '@posthorn/contracts'

/** Both sides must say the same one: they are of one release, or they do not speak to each other. */
export const version = 1
/** For both sides to say hello, in ms. */
export const helloMs = 5_000
/** Octets of one draft or reading that may be on their way: its first credit. */
export const window: number = 256 * 1024
/** Octets of one chunk. */
export const chunkSize: number = 64 * 1024

/** What the client says first; one with a name takes part in the division of sites. */
export interface ClientHello {
  readonly version: number
  readonly member?: string
}
export interface ServerHello {
  readonly version: number
  readonly ids: readonly QueueId[]
  readonly members: readonly string[]
}

/** A message without its head, which goes as octets. */
export type PlainMessage = Omit<NewMessage, 'head'>
type ClaimFor = { readonly owner: Owner; readonly leaseMs: number }
/** A claim without its content, of which it says the size. */
export type PlainClaim = Omit<Claim, 'body'> & { readonly size: number }
/** Its report's head and content are among the octets, each of that length, one after the other. */
export type PlainSettlement = Omit<Settlement, 'report'> & {
  readonly report?: {
    readonly id: QueueId
    readonly message: PlainMessage
    readonly head: number
    readonly body: number
  }
}
/** One operation on the key-value table; `old` absent means that the key must be. */
export type KeyValueAsk = { readonly space: string; readonly key: string } & (
  | { readonly act: 'get' | 'delete' }
  | { readonly act: 'set'; readonly value: Json; readonly ttlMs: number }
  | { readonly act: 'add'; readonly by: number; readonly ttlMs: number }
  | { readonly act: 'swap'; readonly old?: Json; readonly value: Json; readonly ttlMs: number }
)

type Listing = Awaited<ReturnType<Queue['list']>>
/** What is asked, and what is answered: plain data, with `null` for what is not there. */
export interface Methods {
  ids: [{ readonly count: number }, readonly QueueId[]]
  /** A small message, whole: the octets are `head` octets of its head and then its content. */
  put: [
    {
      readonly id: QueueId
      readonly size: number
      readonly message: PlainMessage
      readonly head: number
      readonly claimFor?: ClaimFor
    },
    readonly PlainClaim[],
  ]
  /** Answered with its size when all of it is there. */
  endDraft: [{ readonly draft: number }, number]
  /** The octets are its head. */
  commitDraft: [
    { readonly draft: number; readonly message: PlainMessage; readonly claimFor?: ClaimFor },
    readonly PlainClaim[],
  ]
  abortDraft: [{ readonly draft: number }, null]
  /** The octets of the answer are the contents, in their order; what is not among them is to be read. */
  claim: [
    {
      readonly owner: Owner
      readonly sites: number
      readonly perSite: number
      readonly leaseMs: number
      readonly skip: readonly SiteKey[]
    },
    {
      readonly claims: readonly PlainClaim[]
      readonly contents: readonly { readonly id: QueueId; readonly length: number }[]
    },
  ]
  renew: [{ readonly leases: readonly Lease[]; readonly leaseMs: number }, readonly Lease[]]
  settle: [{ readonly items: readonly PlainSettlement[] }, readonly ('ok' | 'stale')[]]
  release: [{ readonly leases: readonly Lease[]; readonly due: number; readonly why: string }, null]
  pause: [{ readonly site: SiteKey; readonly until: number; readonly why: string }, null]
  disown: [Parameters<Queue['disown']>[0], number]
  nextDue: [null, number | null]
  list: [{ readonly filter: Filter; readonly after?: string; readonly limit: number }, Listing]
  count: [{ readonly filter: Filter; readonly by?: FilterField }, readonly (readonly [string, number])[]]
  show: [{ readonly id: QueueId }, QueueEntry | null]
  /** Answered with its size. */
  open: [{ readonly id: QueueId }, number | null]
  change: [
    { readonly filter: Filter; readonly change: Change; readonly actor: string; readonly dryRun: boolean },
    number,
  ]
  suspend: [
    { readonly what: Suspended; readonly actor: string; readonly why?: string; readonly dryRun: boolean },
    number,
  ]
  resume: [{ readonly what: Suspended; readonly actor: string; readonly dryRun: boolean }, number | null]
  suspensions: [null, readonly Suspension[]]
  /** A value that is there is wrapped, since it may be null. */
  keyValue: [KeyValueAsk, readonly [Json] | number | boolean | null]
}
export type Method = keyof Methods

/** The `about` of a question. */
export interface Ask<M extends Method = Method> {
  readonly method: M
  readonly params: Methods[M][0]
}
/** The `about` of `read`: a message in the queue, or a draft that has ended. */
export type Readable = { readonly id: QueueId } | { readonly draft: number }

/** An error as it crosses the socket. */
interface PlainError {
  readonly name: string
  readonly message: string
  readonly full: boolean
}

export const plainError = (error: unknown): PlainError => ({
  name: error instanceof Error ? error.name : 'Error',
  message: error instanceof Error ? error.message : String(error),
  full: isStoreError(error) && error.full,
})

/** The kind of error that it was, as far as callers tell them apart. */
export const errorOf = (about: unknown): Error => {
  const { name, message, full } = about as PlainError
  if (name === 'StoreError') return storeError(message, { full })
  return name === 'RangeError' ? new RangeError(message) : new Error(message)
}
