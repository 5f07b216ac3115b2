import type { Change, QueueId } from '@posthorn/contracts'
import { bouncedBy, condemned, isCondemned } from '@posthorn/queue-base'
import type { Changed, Wish } from '@posthorn/queue-base'
import { clean, rcptOf } from './row.ts'
import type { DeliveryRow } from './row.ts'
import { state } from './schema.ts'
import { endDelivery, record, touch, writeFreed } from './work.ts'
import type { Freed, Work } from './work.ts'

/** What of a delivery a change looks at. */
export type Changing = Pick<
  DeliveryRow,
  'id' | 'message' | 'site' | 'state' | 'due' | 'doubt' | 'why' | 'wish' | 'local' | 'domain' | 'interrupted'
>
export const changingColumns =
  'd.id, d.message, d.site, d.state, d.due, d.doubt, d.why, d.wish, d.local, d.domain, d.interrupted'

/**
 * An operator's change of deliveries that a filter chose; says how many it changed. One that is being attempted now keeps its
 * lease: the change waits for the end of the attempt, since taking it away could not stop the attempt and would forget its outcome.
 */
export const change = async (work: Work, ids: readonly number[], wish: Wish): Promise<number> => {
  const rows = await work.sql.query<Changing>(
    `select ${changingColumns} from delivery d where d.id = any($1::bigint[]) order by d.id for update`,
    [ids],
  )
  const leased = rows.filter(row => row.state === state.leased)
  const waits = wish.change.do !== 'release' && wish.change.do !== 'retry' ? leased : []
  if (waits.length > 0)
    await work.sql.query('update delivery set wish = $2 where id = any($1::bigint[])', [
      waits.map(row => row.id),
      JSON.stringify(wish),
    ])
  const free = rows.filter(row => row.state !== state.leased)
  return (
    waits.length +
    (await applyChanges(
      work,
      free.map(row => ({ row, wish })),
    ))
  )
}

/** Change deliveries that nobody attempts; says for how many of them the change meant anything. */
export const applyChanges = async (
  work: Work,
  items: readonly { readonly row: Changing; readonly wish: Wish }[],
): Promise<number> => {
  const freed: Freed[] = []
  const dropped: number[] = []
  const hurried = new Set<string>()
  for (const { row, wish } of items) {
    const result = take(work, row, wish)
    if (result === undefined) continue
    const { to, event } = result
    tell(work, row, { wish, event })
    if (event === 'retried') hurried.add(row.site)
    if (to === undefined) {
      dropped.push(row.id)
      endDelivery(work, row.message)
    } else {
      freed.push(to)
      if (to.state === state.ready) touch(work, to.site, to.due)
    }
  }
  if (dropped.length > 0) await work.sql.query('delete from delivery where id = any($1::bigint[])', [dropped])
  await writeFreed(work, freed)
  // Now means now: that the site did not answer a while ago is what the operator wants to find out about.
  if (hurried.size > 0) await work.sql.query('delete from pause where site = any($1::text[])', [[...hurried]])
  return freed.length + dropped.length
}

const tell = (
  work: Work,
  row: Changing,
  { wish, event }: { readonly wish: Wish; readonly event: Changed['event'] },
): void => {
  const { change: c, actor } = wish
  const rcpt = rcptOf(row)
  const moved = c.do === 'reroute' ? `from ${row.site} to ${c.site} ` : ''
  record(work, row.message, event, { rcpt, detail: `${moved}by ${actor}${c.why === undefined ? '' : `: ${c.why}`}` })
  work.changed.push({
    event,
    id: row.message as QueueId,
    rcpt,
    site: row.site,
    by: actor,
    ...(c.why !== undefined && { why: c.why }),
    ...(c.do === 'reroute' && { to: c.site }),
  })
}

interface Taken {
  readonly event: Changed['event']
  /** Absent: it is dropped. */
  readonly to?: Freed
}

/** What becomes of the row; undefined when the change means nothing for it. */
const take = (work: Work, row: Changing, { change: c, actor, reason }: Wish): Taken | undefined => {
  const now = (o: Partial<Freed>): Freed => ({
    id: row.id,
    state: state.ready,
    site: row.site,
    due: work.now,
    doubt: row.doubt,
    why: row.why,
    interrupted: row.interrupted,
    ...o,
  })
  switch (c.do) {
    case 'hold': {
      if (row.state !== state.ready) return undefined
      const why = clean(reason ?? `held by ${actor}${c.why === undefined ? '' : `: ${c.why}`}`)
      return { event: 'held', to: now({ state: state.held, due: row.due, why }) }
    }
    case 'release':
      return row.state === state.held ? { event: 'released', to: now({ why: null }) } : undefined
    case 'retry':
      return row.state === state.ready ? { event: 'retried', to: now({}) } : undefined
    case 'drop':
      return { event: 'dropped' }
    case 'bounce':
      return { event: 'condemned', to: now({ site: condemned(row.site), why: clean(c.why ?? bouncedBy) }) }
    case 'reroute':
      return { event: 'rerouted', to: rerouted(row, clean(c.site), now) }
    default:
      // A change of a newer release, over a socket.
      throw new RangeError(`no such change: ${(c as Change).do}`)
  }
}

const rerouted = (row: Changing, site: string, now: (o: Partial<Freed>) => Freed): Freed =>
  row.state === state.ready
    ? now({ site, why: isCondemned(row.site) ? null : row.why })
    : now({ site, state: row.state, due: row.due })
