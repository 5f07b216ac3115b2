import type { Change, Filter, Journal, Queue, Suspended } from '@posthorn/contracts'
import { heldForSender, senderPrefix } from '@posthorn/queue-base'
import type { Wish } from '@posthorn/queue-base'
import { change } from './change.ts'
import type { Reads } from './reads.ts'
import { clean } from './row.ts'
import { touch } from './work.ts'
import type { Work } from './work.ts'

/** Deliveries changed in one transaction: a change of a million holds up no message for long. */
const step = 500

/** The row of a suspension: its kind, and the name under which it is looked for. */
const keyOf = (what: Suspended): { readonly kind: 'site' | 'sender'; readonly name: string } =>
  'site' in what ? { kind: 'site', name: clean(what.site) } : { kind: 'sender', name: clean(what.sender).toLowerCase() }

export const createOperators = (o: {
  readonly reads: Reads
  readonly journal: Journal | undefined
  /** Runs it in a transaction, and tells what it made ready and changed. */
  readonly work: <T>(run: (work: Work) => Promise<T>) => Promise<T>
}): Pick<Queue, 'list' | 'count' | 'show' | 'open' | 'change' | 'suspend' | 'resume' | 'suspensions'> => {
  const { reads, work, journal } = o
  const changeAll = async (filter: Filter, wish: Wish, dryRun: boolean): Promise<number> => {
    let changed = 0
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: Awaited<ReturnType<Reads['keys']>> = await reads.keys(filter, after, step)
      if (dryRun) changed += page.keys.length
      else if (page.keys.length > 0) changed += await work(w => change(w, page.keys, wish))
      after = page.after
    }
    return changed
  }
  const countAll = async (filter: Filter): Promise<number> => (await reads.count(filter)).get('all') ?? 0

  return {
    list: (f, page) => reads.list(f, page),
    count: (f, by) => reads.count(f, by),
    show: id => reads.show(id),
    open: id => reads.open(id),
    suspensions: () => reads.suspensions(),
    change: (filter, c, actor, { dryRun = false } = {}) => changeAll(filter, { change: c, actor }, dryRun),
    suspend: async (what, actor, { why, dryRun = false } = {}) => {
      const { kind, name } = keyOf(what)
      const waits: Filter = { and: [{ field: kind, op: '=', value: name }] }
      if (dryRun) return countAll(waits)
      if (await work(w => insertSuspension(w, { kind, name, actor, why })))
        journal?.event('queue.suspended', { [kind]: name, by: actor, why }, 'warn')
      if (kind === 'site') return countAll(waits)
      const hold: Change = { do: 'hold', ...(why !== undefined && { why }) }
      return changeAll(waits, { change: hold, actor, reason: heldForSender(actor, why) }, false)
    },
    resume: async (what, actor, { dryRun = false } = {}) => {
      const { kind, name } = keyOf(what)
      const named = { field: kind, op: '=', value: name } as const
      const waits: Filter =
        kind === 'site' ? { and: [named] } : { and: [named, { field: 'why', op: '~', value: `${senderPrefix}*` }] }
      if (dryRun) {
        const known = (await reads.suspensions()).map(s => keyOf(s.what))
        return known.some(k => k.kind === kind && k.name === name) ? countAll(waits) : undefined
      }
      if (!(await work(w => deleteSuspension(w, kind, name)))) return undefined
      journal?.event('queue.resumed', { [kind]: name, by: actor }, 'warn')
      return kind === 'site' ? countAll(waits) : changeAll(waits, { change: { do: 'release' }, actor }, false)
    },
  }
}

/** Whether it was not suspended before. A suspended site needs nothing else: the next claim takes its marks. */
const insertSuspension = async (
  { sql, now }: Work,
  o: { readonly kind: string; readonly name: string; readonly actor: string; readonly why: string | undefined },
): Promise<boolean> => {
  const rows = await sql.query(
    'insert into suspension(kind, key, at, actor, why) values($1, $2, $3, $4, $5) on conflict do nothing returning 1',
    [o.kind, o.name, now, clean(o.actor), o.why === undefined ? null : clean(o.why)],
  )
  return rows.length > 0
}

/** Whether it was suspended. */
const deleteSuspension = async (work: Work, kind: string, name: string): Promise<boolean> => {
  const [gone] = await work.sql.query<{ at: number }>(
    'delete from suspension where kind = $1 and key = $2 returning at',
    [kind, name],
  )
  if (gone !== undefined && kind === 'site') {
    // What waited was on hold.
    await work.sql.query(
      `update delivery d set held_ms = d.held_ms + greatest(0, $2 - greatest($3, m.arrived))
       from message m where m.id = d.message and d.state = 0 and d.site = $1`,
      [name, work.now, gone.at],
    )
    touch(work, name, work.now)
  }
  return gone !== undefined
}
