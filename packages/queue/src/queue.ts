import { bodyOf } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import type { Claim, Clock, Journal, KeyValue, Lease, Queue, QueueId, Settlement } from '@posthorn/contracts'
import { headAndFile } from './content.ts'
import { createDraft } from './draft.ts'
import type { Engine } from './engine.ts'
import { createGrouper } from './group.ts'
import { asStoreError, createWaker, formatId, parseId, storeError, tellChanges } from '@posthorn/queue-base'
import type { Ids } from '@posthorn/queue-base'
import { createKeyValue } from './keyvalue.ts'
import type { Answers, ClaimedMessage, GroupResult, Operation, Query, SettleItem } from './operation.ts'
import { createOperators } from './operators.ts'
import type { Spool } from './spool.ts'

/** A queue with its key-value table. */
export interface EmbeddedQueue extends Queue {
  /** The table beside the queue, by name-space; kept with the same durability. */
  keyValue(namespace: string): KeyValue
  /** Since the start: transactions, and the operations that shared them. */
  readonly stats: { readonly groups: number; readonly operations: number }
}

export interface QueueDeps {
  readonly engine: Engine
  readonly ids: Ids
  readonly clock: Clock
  readonly journal: Journal | undefined
  readonly spool: Spool | undefined
  readonly bodyInline: number
  /** Whether a message of that many octets may come in. */
  readonly hasRoom: (octets: number) => boolean
  /** A transaction found the disk full. */
  readonly onFull?: () => void
  /** What must end before the engine closes. */
  readonly beforeClose?: () => Promise<void>
  /** After the engine has closed. */
  readonly afterClose?: () => void
}

/** The queue as its users see it, over an engine that runs the transactions. */
export const createQueue = (o: QueueDeps): EmbeddedQueue => {
  const { engine, ids, clock, spool } = o
  const waker = createWaker(clock)
  const unlinking = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  const onResult = (result: GroupResult): void => {
    for (const id of result.unlink) {
      const done = spool?.remove(id).then(() => void unlinking.delete(done ?? Promise.resolve()))
      if (done !== undefined) unlinking.add(done)
    }
    for (const { id, why } of result.corrupt) o.journal?.event('queue.corrupt', { id, why }, 'error')
    if (o.journal !== undefined && result.changed !== undefined) tellChanges(o.journal, result.changed)
    if (result.results.some(r => 'full' in r && r.full)) onFull()
    if (result.reopened === true) o.journal?.event('queue.recovered', { why: 'the disk failed' }, 'error')
    if (result.wake !== undefined) waker.ready(result.wake)
  }
  let lastFull = -Infinity
  const onFull = (): void => {
    o.onFull?.()
    // One event for a full disk, not one a message.
    if (clock.monotonic() - lastFull < 60_000) return
    lastFull = clock.monotonic()
    o.journal?.event('queue.full', {}, 'error')
  }
  const grouper = createGrouper(engine, { clock, onResult })
  const submit = async (op: Operation): Promise<unknown> => (await grouper.submit(op)).value
  const ask = <Q extends Query>(query: Q): Promise<Answers[Q['ask']]> =>
    closing === undefined
      ? engine.read(query).catch((error: unknown) => {
          throw error instanceof RangeError ? error : asStoreError(error, 'the store cannot be read')
        })
      : Promise.reject(storeError('the queue is closed', { full: false }))
  const bodyOfStored = (id: QueueId, head: Uint8Array, m: { readonly size: number; readonly spooled: number }): Body =>
    m.spooled === 0 || spool === undefined
      ? bodyOf(head)
      : headAndFile(head, m.size, signal => spool.read(id, m.spooled, signal))
  const operators = createOperators({
    clock,
    journal: o.journal,
    submit,
    ask,
    bodyOf: (id, stored) => bodyOfStored(id, stored.content, stored),
  })
  const draftDeps = {
    spool,
    bodyInline: o.bodyInline,
    submit: grouper.submit,
    takeKeys: ids.take,
    wall: () => clock.wall(),
  }

  return {
    begin: (sizeHint = 0, id) => {
      if (closing !== undefined) throw storeError('the queue is closed', { full: false })
      if (!o.hasRoom(sizeHint)) throw storeError('no room for another message', { full: true })
      if (id !== undefined) {
        const given = idOf(id)
        return createDraft(given.key, given.nonce, id, draftDeps)
      }
      const key = ids.take(1)
      return createDraft(key, ids.nonce, formatId(key, ids.nonce), draftDeps)
    },
    newId: () => formatId(ids.take(1), ids.nonce),
    claim: async ({ skip, ...rest }) => {
      const done = await grouper.submit({ do: 'claim', ...rest, skip: skip === undefined ? [] : [...skip] })
      return (done.value as readonly ClaimedMessage[]).flatMap(m => {
        const id = formatId(m.key, m.nonce)
        return claimsOf(m, id, bodyOfStored(id, done.contents[m.content] ?? new Uint8Array(), m))
      })
    },
    renew: async (leases, leaseMs) =>
      (await submit({ do: 'renew', leases: leases.map(leaseOf), leaseMs })) as readonly Lease[],
    settle: async batch => {
      const contents: (readonly Uint8Array[])[] = []
      const items = batch.map(s => settleItem(s, contents, { ids, wall: clock.wall() }))
      const done = await grouper.submit({ do: 'settle', items }, contents)
      return done.value as readonly ('ok' | 'stale')[]
    },
    release: async (leases, due, why) => {
      await submit({ do: 'release', leases: leases.map(leaseOf), due, why })
    },
    pause: async (site, until, why) => {
      await submit({ do: 'pause', site, until, why })
    },
    disown: async which => (await submit({ do: 'disown', ...which })) as number,
    nextDue: async () => {
      const at = (await submit({ do: 'nextDue' })) as number | null
      waker.promise(at ?? undefined)
      return at ?? undefined
    },
    onWake: waker.on,
    ...operators,
    keyValue: space => createKeyValue(space, { clock, submit: grouper.submit }),
    stats: grouper.stats,
    close: () => {
      closing ??= (async () => {
        await grouper.close()
        await Promise.all(unlinking)
        await o.beforeClose?.()
        await engine.close()
        o.afterClose?.()
      })()
      return closing
    },
  }
}

/** Only the two numbers cross the thread, whatever object stands for the lease. */
const leaseOf = ({ delivery, token }: Lease): Lease => ({ delivery, token })

const idOf = (text: QueueId): { readonly key: number; readonly nonce: number } => {
  const id = parseId(text)
  if (id === undefined) throw new RangeError(`${text} is no id of newId()`)
  return id
}

const settleItem = (
  { report, ...s }: Settlement,
  contents: (readonly Uint8Array[])[],
  { ids, wall }: { readonly ids: Ids; readonly wall: number },
): SettleItem => {
  const item = { ...s, lease: leaseOf(s.lease) }
  if (report === undefined) return item
  const id = idOf(report.id)
  const { head = new Uint8Array(), ...message } = report.message
  return {
    ...item,
    report: {
      ...id,
      first: ids.take(message.recipients.length),
      arrived: Math.floor(wall),
      size: head.byteLength + report.body.byteLength,
      spooled: 0,
      message,
      content: contents.push([head, report.body]) - 1,
    },
  }
}

const claimsOf = (m: ClaimedMessage, id: QueueId, body: Body): readonly Claim[] =>
  m.deliveries.map(d => ({
    delivery: d.delivery,
    token: d.token,
    id,
    site: d.to.site,
    to: d.to,
    attempts: d.attempts,
    envelope: m.message.envelope,
    priority: m.message.priority ?? 0,
    tags: m.message.tags ?? [],
    body,
    arrived: m.arrived,
    ...(m.message.expires !== undefined && { expires: m.message.expires }),
    ...(d.warned !== undefined && { warned: d.warned }),
    ...(d.heldMs !== undefined && { heldMs: d.heldMs }),
    ...(d.bounce !== undefined && { bounce: d.bounce }),
  }))
