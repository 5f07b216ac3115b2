import type { Draft, Queue, StoreError } from '@posthorn/contracts'

/** The calls that can be made to fail. */
export type FaultyCall = 'begin' | 'commit' | 'claim' | 'renew' | 'settle' | 'release' | 'nextDue' | 'disown' | 'pause'

/** When it fails. */
export interface Fault {
  readonly call: FaultyCall
  /** From 1: the n-th call of that kind. */
  readonly at: number
  /** How many calls in a row; 1 when absent. */
  readonly times?: number
  /** Whether room is short; false when absent. */
  readonly full?: boolean
  /** The call succeeds and only its answer is lost, as when the store dies between its commit and its reply. */
  readonly afterwards?: boolean
}

const storeError = (fault: Fault): StoreError =>
  Object.assign(new Error(`fault at ${fault.call} ${fault.at}`), {
    name: 'StoreError' as const,
    full: fault.full === true,
  })

/** A queue that works but for the faults it is told; `calls` counts what was asked. */
export const faultyQueue = (
  inner: Queue,
  faults: readonly Fault[],
): Queue & { readonly calls: ReadonlyMap<FaultyCall, number> } => {
  const calls = new Map<FaultyCall, number>()
  const next = (call: FaultyCall): Fault | undefined => {
    const n = (calls.get(call) ?? 0) + 1
    calls.set(call, n)
    return faults.find(f => f.call === call && n >= f.at && n < f.at + (f.times ?? 1))
  }
  const run = async <T>(call: FaultyCall, act: () => Promise<T>, instead?: () => Promise<unknown>): Promise<T> => {
    const fault = next(call)
    if (fault === undefined) return act()
    await (fault.afterwards === true ? act() : instead?.())
    throw storeError(fault)
  }
  const draft = (d: Draft): Draft => ({
    id: d.id,
    write: chunk => d.write(chunk),
    end: () => d.end(),
    abort: () => d.abort(),
    // A commit that failed has kept nothing.
    commit: (message, claimFor) =>
      run(
        'commit',
        () => d.commit(message, claimFor),
        () => d.abort(),
      ),
  })
  return {
    calls,
    begin: (sizeHint, id) => {
      const fault = next('begin')
      if (fault !== undefined) throw storeError(fault)
      return draft(inner.begin(sizeHint, id))
    },
    newId: () => inner.newId(),
    claim: o => run('claim', () => inner.claim(o)),
    renew: (leases, leaseMs) => run('renew', () => inner.renew(leases, leaseMs)),
    settle: batch => run('settle', () => inner.settle(batch)),
    release: (leases, due, why) => run('release', () => inner.release(leases, due, why)),
    pause: (site, until, why) => run('pause', () => inner.pause(site, until, why)),
    disown: which => run('disown', () => inner.disown(which)),
    nextDue: () => run('nextDue', () => inner.nextDue()),
    onWake: call => inner.onWake(call),
    list: (f, o) => inner.list(f, o),
    count: (f, by) => inner.count(f, by),
    show: id => inner.show(id),
    open: id => inner.open(id),
    change: (f, c, actor, o) => inner.change(f, c, actor, o),
    suspend: (what, actor, o) => inner.suspend(what, actor, o),
    resume: (what, actor, o) => inner.resume(what, actor, o),
    suspensions: () => inner.suspensions(),
    close: () => inner.close(),
  }
}
