import type { Change } from '@posthorn/contracts'
import { bouncedBy, condemned, formatId, isCondemned } from '@posthorn/queue-base'
import type { Changed, Wish } from '@posthorn/queue-base'
import type { ChangeOp } from './operation.ts'
import { pause } from './pause.ts'
import type { DeliveryRow } from './row.ts'
import { state } from './schema.ts'
import { endDelivery, makeReady, rcptOf, record } from './work.ts'
import type { Work } from './work.ts'

/**
 * An operator's change of deliveries that a filter chose; says how many it changed. One that is being attempted now keeps its
 * lease: the change waits for the end of the attempt, since taking it away could not stop the attempt and would forget its outcome.
 */
export const change = (work: Work, op: ChangeOp): number => {
  const { change, actor, reason } = op
  const wish: Wish = { change, actor, ...(reason !== undefined && { reason }) }
  let changed = 0
  for (const id of op.deliveries) {
    const row = work.s.delivery.get(id) as DeliveryRow | undefined
    if (row === undefined) continue
    if (row.state !== state.leased) changed += applyChange(work, row, wish) ? 1 : 0
    else if (change.do !== 'release' && change.do !== 'retry') {
      work.s.wish.run(JSON.stringify(wish), id)
      changed++
    }
  }
  return changed
}

/** Whether the change meant anything for a delivery in that state. */
export const applyChange = (work: Work, row: DeliveryRow, wish: Wish): boolean => {
  const event = take(work, row, wish)
  if (event === undefined) return false
  const { change, actor } = wish
  const nonce = work.s.nonce.get(row.message)?.['nonce'] as number | undefined
  const rcpt = rcptOf(row)
  const said = change.why === undefined ? '' : `: ${change.why}`
  const moved = change.do === 'reroute' ? `from ${row.site} to ${change.site} ` : ''
  record(work, row.message, event, { rcpt, detail: `${moved}by ${actor}${said}` })
  work.batch.changed.push({
    event,
    id: formatId(row.message, nonce ?? 0),
    rcpt,
    site: row.site,
    by: actor,
    ...(change.why !== undefined && { why: change.why }),
    ...(change.do === 'reroute' && { to: change.site }),
  })
  if (event === 'dropped') endDelivery(work, row.message)
  return true
}

/** Change the row; says what happened to it, or nothing. */
const take = (work: Work, row: DeliveryRow, { change: c, actor, reason }: Wish): Changed['event'] | undefined => {
  const { s, batch } = work
  switch (c.do) {
    case 'hold':
      if (row.state !== state.ready) return undefined
      s.hold.run(batch.now, reason ?? `held by ${actor}${c.why === undefined ? '' : `: ${c.why}`}`, row.id)
      return 'held'
    case 'release':
      if (row.state !== state.held) return undefined
      makeReady(work, row, { due: batch.now, doubt: row.doubt, why: null })
      return 'released'
    case 'retry':
      if (row.state !== state.ready) return undefined
      makeReady(work, row, { due: batch.now, doubt: row.doubt, why: row.why })
      // Now means now: that the site did not answer a while ago is what the operator wants to find out about.
      if ((work.paused.get(row.site) ?? 0) > batch.now)
        pause(work, { do: 'pause', site: row.site, until: batch.now, why: '' })
      return 'retried'
    case 'drop':
      s.deleteDelivery.run(row.id)
      return 'dropped'
    case 'bounce': {
      const site = condemned(row.site)
      s.reroute.run(site, row.id)
      makeReady(work, { id: row.id, site }, { due: batch.now, doubt: row.doubt, why: c.why ?? bouncedBy })
      return 'condemned'
    }
    case 'reroute':
      s.reroute.run(c.site, row.id)
      if (row.state !== state.ready) return 'rerouted'
      makeReady(
        work,
        { id: row.id, site: c.site },
        { due: batch.now, doubt: row.doubt, why: isCondemned(row.site) ? null : row.why },
      )
      return 'rerouted'
    default:
      // A change of a newer release, over a socket.
      throw new RangeError(`no such change: ${(c as Change).do}`)
  }
}
