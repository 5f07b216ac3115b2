import type { Claim, KeyValue, NewMessage, Owner, Queue, Settlement } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import type { KeyValueAsk, Method, Methods, PlainClaim, PlainMessage, PlainSettlement } from './protocol.ts'
import type { Upload } from './upload.ts'

/** A queue with the key-value table beside it. */
export type ServedQueue = Queue & { keyValue(namespace: string): KeyValue }

/** What a question is answered with: plain data, and octets beside it. */
export interface Reply<M extends Method = Method> {
  readonly result: Methods[M][1]
  readonly octets?: readonly Uint8Array[]
}

/** What the methods need of the connection that asks. */
export interface Caller {
  readonly queue: ServedQueue
  /** The owner as the store knows it: leases belong to a connection, and end with it. */
  readonly ownerOf: (owner: Owner) => Owner
  readonly share: () => { readonly self: string; readonly members: readonly string[] } | undefined
  /** Throws when there is no such draft. */
  readonly upload: (draft: number) => Upload
  /** It is committed or aborted. */
  readonly forget: (draft: number) => void
}

type Handlers = {
  readonly [M in Method]: (caller: Caller, params: Methods[M][0], octets: Uint8Array) => Reply<M> | Promise<Reply<M>>
}

/** Content that goes along with claims; what is more is read when it is wanted. */
const contentPerClaim = 8 * 1024 * 1024
/** Ids that are given at once. */
const mostIds = 4096

const done = { result: null } as const

const ownedBy = (
  caller: Caller,
  claimFor: { readonly owner: Owner; readonly leaseMs: number } | undefined,
): { readonly owner: Owner; readonly leaseMs: number } | undefined =>
  claimFor && { owner: caller.ownerOf(claimFor.owner), leaseMs: claimFor.leaseMs }

const withHead = (message: PlainMessage, head: Uint8Array): NewMessage =>
  head.byteLength === 0 ? message : { ...message, head }

const plainClaims = (claims: readonly Claim[]): readonly PlainClaim[] =>
  claims.map(({ body, ...claim }) => ({ ...claim, size: body.size }))

/** Contents that are in memory, each once, up to a bound. */
const contentsOf = (claims: readonly Claim[]): ReadonlyMap<Claim['id'], Uint8Array> => {
  const contents = new Map<Claim['id'], Uint8Array>()
  let room = contentPerClaim
  for (const { id, body } of claims) {
    if (contents.has(id) || body.bytes === undefined || body.size > room) continue
    contents.set(id, body.bytes)
    room -= body.size
  }
  return contents
}

/** Settlements with their reports put together again. */
const settlements = (items: readonly PlainSettlement[], octets: Uint8Array): readonly Settlement[] => {
  let at = 0
  const take = (length: number): Uint8Array => octets.subarray(at, (at += length))
  return items.map(({ report, ...item }) => {
    if (report === undefined) return item
    const message = withHead(report.message, take(report.head))
    return { ...item, report: { id: report.id, message, body: take(report.body) } }
  })
}

const keyValue = async (queue: ServedQueue, ask: KeyValueAsk): Promise<Methods['keyValue'][1]> => {
  const table = queue.keyValue(ask.space)
  switch (ask.act) {
    case 'get': {
      const value = await table.get(ask.key)
      return value === undefined ? null : [value]
    }
    case 'delete':
      await table.delete(ask.key)
      return null
    case 'set':
      await table.set(ask.key, ask.value, ask.ttlMs)
      return null
    case 'add':
      return table.add(ask.key, ask.by, ask.ttlMs)
    default:
      return table.swap(ask.key, ask.old, ask.value, ask.ttlMs)
  }
}

/** What a client may ask, one function each. They reject as the queue does. */
export const methods: Handlers = {
  ids: ({ queue }, { count }) => ({
    result: Array.from({ length: Math.min(Math.max(0, Math.floor(count)), mostIds) }, () => queue.newId()),
  }),
  put: async (caller, { id, size, message, head, claimFor }, octets) => {
    const draft = caller.queue.begin(size, id)
    try {
      const written = draft.write(octets.subarray(head))
      if (written !== undefined) await written
      await draft.end()
      const claims = await draft.commit(withHead(message, octets.subarray(0, head)), ownedBy(caller, claimFor))
      return { result: plainClaims(claims) }
    } catch (error) {
      await draft.abort()
      throw error
    }
  },
  endDraft: async ({ upload }, { draft }) => ({ result: (await upload(draft).end()).size }),
  commitDraft: async (caller, { draft, message, claimFor }, octets) => {
    const upload = caller.upload(draft)
    caller.forget(draft)
    try {
      return { result: plainClaims(await upload.commit(withHead(message, octets), ownedBy(caller, claimFor))) }
    } catch (error) {
      await upload.abort()
      throw error
    }
  },
  abortDraft: async ({ upload, forget }, { draft }) => {
    const aborted = upload(draft)
    forget(draft)
    await aborted.abort()
    return done
  },
  claim: async (caller, { owner, skip, ...o }) => {
    const share = caller.share()
    const claims = await caller.queue.claim({
      ...o,
      owner: caller.ownerOf(owner),
      ...(skip.length > 0 && { skip: new Set(skip) }),
      ...(share !== undefined && { share }),
    })
    const contents = contentsOf(claims)
    return {
      result: {
        claims: plainClaims(claims),
        contents: [...contents].map(([id, { byteLength: length }]) => ({ id, length })),
      },
      octets: [...contents.values()],
    }
  },
  renew: async ({ queue }, { leases, leaseMs }) => ({ result: await queue.renew(leases, leaseMs) }),
  settle: async ({ queue }, { items }, octets) => ({ result: await queue.settle(settlements(items, octets)) }),
  release: async ({ queue }, { leases, due, why }) => {
    await queue.release(leases, due, why)
    return done
  },
  pause: async ({ queue }, { site, until, why }) => {
    await queue.pause(site, until, why)
    return done
  },
  disown: async ({ queue, ownerOf }, which) => ({
    result: await queue.disown(
      'owner' in which ? { ...which, owner: ownerOf(which.owner) } : { except: ownerOf(which.except) },
    ),
  }),
  nextDue: async ({ queue }) => ({ result: (await queue.nextDue()) ?? null }),
  list: async ({ queue }, { filter, ...o }) => ({ result: await queue.list(filter, o) }),
  count: async ({ queue }, { filter, by }) => ({ result: [...(await queue.count(filter, by))] }),
  show: async ({ queue }, { id }) => ({ result: (await queue.show(id)) ?? null }),
  open: async ({ queue }, { id }) => ({ result: (await queue.open(id))?.size ?? null }),
  change: async ({ queue }, { filter, change, actor, dryRun }) => ({
    result: await queue.change(filter, change, actor, { dryRun }),
  }),
  suspend: async ({ queue }, { what, actor, ...o }) => ({ result: await queue.suspend(what, actor, o) }),
  resume: async ({ queue }, { what, actor, dryRun }) => ({
    result: (await queue.resume(what, actor, { dryRun })) ?? null,
  }),
  suspensions: async ({ queue }) => ({ result: await queue.suspensions() }),
  keyValue: async ({ queue }, ask) => ({ result: await keyValue(queue, ask) }),
}

/** What a client reads: a draft that has ended, or a message in the queue. Rejects when there is none. */
export const bodyToRead = async (
  { queue, upload }: Caller,
  what: { readonly id: Parameters<Queue['open']>[0] } | { readonly draft: number },
): Promise<Body> => {
  if ('draft' in what) return upload(what.draft).end()
  const body = await queue.open(what.id)
  if (body === undefined) throw new Error(`there is no message ${what.id} any more`)
  return body
}
