import type { Claim, Clock, Draft, KeyValue, Lease, Queue, Random, Settlement, StoreError } from '@posthorn/contracts'
import type { Excuse, Ledger } from './ledger.ts'
import { happens } from './trouble.ts'
import type { Trouble } from './trouble.ts'

export type Store = Queue & { keyValue(namespace: string): KeyValue }

export interface StoreSetting {
  readonly host: string
  readonly now: () => number
  readonly clock: Clock
  readonly random: Random
  readonly trouble: Trouble
  readonly ledger: Ledger
  /** Virtual ms until which the disk is full. */
  readonly fullUntil: () => number
  /** A crash may come here. */
  readonly hazard: (where: string) => void
  readonly log: (what: string) => void
}

const storeError = (message: string, full: boolean): StoreError =>
  Object.assign(new Error(message), { name: 'StoreError' as const, full })

/**
 * A store as slow and as unreliable as a disk: each write takes a while before and after the instant in which it is done, so that a
 * crash can come on either side of it, and fails now and then, before that instant or after it.
 */
export const unreliableStore = (inner: Store, o: StoreSetting): Store => {
  const { random, clock, trouble, ledger, host } = o
  /** `id`: of a message that is coming in, which takes room. */
  const write = async <T>(what: string, act: () => Promise<T>, id?: string): Promise<T> => {
    await clock.sleep(random.next() * 4)
    o.hazard(`before ${what}`)
    if (id !== undefined && (o.now() < o.fullUntil() || happens(random, trouble.storeFull))) {
      o.log(`the disk is full for ${what}`)
      throw storeError('the disk is full', true)
    }
    if (happens(random, trouble.storeFails)) {
      o.log(`${what} fails`)
      throw storeError('the disk failed', false)
    }
    const done = await act()
    o.hazard(`after ${what}`)
    await clock.sleep(random.next() * 4)
    if (happens(random, trouble.storeForgets)) {
      o.log(`${what} is done, and its answer is lost`)
      ledger.excuse({ at: o.now(), host, window: 'store', ...(id !== undefined && { id }) })
      throw storeError('the disk failed at the sync', false)
    }
    return done
  }
  /** Of whom a lease is. */
  const leased = new Map<number, { readonly id: string; readonly rcpt: string }>()
  const remember = (claims: readonly Claim[]): readonly Claim[] => {
    for (const { delivery, id, to } of claims) leased.set(delivery, { id, rcpt: to.to.wire })
    return claims
  }
  const settle = async (batch: readonly Settlement[]): Promise<readonly ('ok' | 'stale')[]> => {
    const results = await inner.settle(batch)
    batch.forEach(({ lease, fate }, i) => {
      const whose = leased.get(lease.delivery)
      if (results[i] === 'ok' && fate.to === 'failed' && whose !== undefined) ledger.failed.push(whose)
      const excuse = results[i] === 'ok' ? lapsed.get(nameOf(lease)) : undefined
      if (excuse !== undefined) ledger.excuses.splice(ledger.excuses.indexOf(excuse), 1)
    })
    return results
  }
  /** Leases of which their owner heard here that they are lost, each with its excuse; it is none if the lease settles all the same. */
  const lapsed = new Map<string, Excuse>()
  const nameOf = ({ delivery, token }: Lease): string => `${delivery} ${token}`
  /** Whoever learns that a lease has lapsed settles it no more: its attempt, if it came to an end, was one too many. */
  const renew: Store['renew'] = async (leases, leaseMs) => {
    const still = await inner.renew(leases, leaseMs)
    for (const lease of leases) {
      const whose = leased.get(lease.delivery)
      if (still.some(s => s.delivery === lease.delivery) || whose === undefined) continue
      const excuse: Excuse = { at: o.now(), host, window: 'stale', id: whose.id }
      lapsed.set(nameOf(lease), excuse)
      ledger.excuse(excuse)
    }
    return still
  }
  const draft = (d: Draft): Draft => {
    let text = ''
    return {
      id: d.id,
      write: chunk => {
        text += Buffer.from(chunk).toString('latin1')
        return d.write(chunk)
      },
      end: () => d.end(),
      abort: () => d.abort(),
      commit: async (message, claimFor) => {
        ledger.learn(d.id, Buffer.from(message.head ?? []).toString('latin1') + text, o.now())
        return write('commit', () => d.commit(message, claimFor).then(remember), d.id)
      },
    }
  }
  return {
    begin: sizeHint => {
      if (o.now() < o.fullUntil()) throw storeError('no room for another message', true)
      return draft(inner.begin(sizeHint))
    },
    newId: () => inner.newId(),
    claim: c => write('claim', () => inner.claim(c).then(remember)),
    renew: (leases, leaseMs) => write('renew', () => renew(leases, leaseMs)),
    settle: async batch => {
      for (const { report } of batch)
        if (report !== undefined)
          ledger.learn(
            report.id,
            Buffer.concat([report.message.head ?? Buffer.of(), report.body]).toString('latin1'),
            o.now(),
          )
      const results = await write('settle', () => settle(batch))
      results.forEach((result, i) => {
        if (result === 'ok') return
        const whose = leased.get(batch[i]?.lease.delivery ?? 0)
        o.log(`${whose?.id} for ${whose?.rcpt} is settled with a stale lease`)
        ledger.excuse({ at: o.now(), host, window: 'stale', ...(whose && { id: whose.id }) })
      })
      return results
    },
    release: (leases, due, why) => write('release', () => inner.release(leases, due, why)),
    pause: (site, until, why) => write('pause', () => inner.pause(site, until, why)),
    disown: which => inner.disown(which),
    nextDue: () => inner.nextDue(),
    onWake: call => inner.onWake(call),
    list: (f, page) => inner.list(f, page),
    count: (f, by) => inner.count(f, by),
    show: id => inner.show(id),
    open: id => inner.open(id),
    suspend: (...args) => inner.suspend(...args),
    resume: (...args) => inner.resume(...args),
    suspensions: () => inner.suspensions(),
    change: (f, c, actor, opts) => inner.change(f, c, actor, opts),
    close: () => inner.close(),
    keyValue: namespace => inner.keyValue(namespace),
  }
}

/** A store as a node reaches it that may die: from then on it asks nothing, and hears no answer. */
export const severable = (store: Store, life: { readonly alive: boolean }): Store => {
  const silence = new Promise<never>(() => undefined)
  const unlessDead = async <T>(act: () => Promise<T>): Promise<T> => {
    if (!life.alive) return silence
    try {
      const answer = await act()
      return life.alive ? answer : await silence
    } catch (error) {
      if (!life.alive) return silence
      throw error
    }
  }
  return {
    ...store,
    claim: o => unlessDead(() => store.claim(o)),
    renew: (leases, leaseMs) => unlessDead(() => store.renew(leases, leaseMs)),
    settle: batch => unlessDead(() => store.settle(batch)),
    release: (leases, due, why) => unlessDead(() => store.release(leases, due, why)),
    pause: (site, until, why) => unlessDead(() => store.pause(site, until, why)),
    disown: which => unlessDead(() => store.disown(which)),
    nextDue: () => unlessDead(() => store.nextDue()),
    onWake: call =>
      store.onWake(() => {
        if (life.alive) call()
      }),
  }
}
