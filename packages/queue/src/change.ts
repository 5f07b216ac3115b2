import type { Change } from '@posthorn/contracts'
import type { ChangeOp } from './operation.ts'
import type { DeliveryRow } from './row.ts'
import { state } from './schema.ts'
import { endDelivery, makeReady, rcptOf, record } from './work.ts'
import type { Work } from './work.ts'

/**
 * An operator's change of deliveries that a filter chose; says how many it changed. One that is being attempted now keeps its
 * lease: the change waits for the end of the attempt, since taking it away could not stop the attempt and would forget its outcome.
 */
export const change = (work: Work, op: ChangeOp): number => {
  let changed = 0
  for (const id of op.deliveries) {
    const row = work.s.delivery.get(id) as DeliveryRow | undefined
    if (row === undefined) continue
    if (row.state !== state.leased) changed += applyChange(work, row, op.change, op.actor) ? 1 : 0
    else if (op.change.do !== 'release' && op.change.do !== 'retry') {
      work.s.wish.run(JSON.stringify({ change: op.change, actor: op.actor }), id)
      changed++
    }
  }
  return changed
}

/** Whether the change meant anything for a delivery in that state. */
export const applyChange = (work: Work, row: DeliveryRow, c: Change, actor: string): boolean => {
  const { s, batch } = work
  const note = (event: string, detail: string): void => record(work, row.message, event, { rcpt: rcptOf(row), detail })
  switch (c.do) {
    case 'hold':
      if (row.state !== state.ready) return false
      s.hold.run(batch.now, `held by ${actor}`, row.id)
      note('held', `by ${actor}`)
      return true
    case 'release':
    case 'retry':
      if (row.state !== (c.do === 'release' ? state.held : state.ready)) return false
      makeReady(work, row, { due: batch.now, doubt: row.doubt, why: c.do === 'release' ? null : row.why })
      note(c.do === 'release' ? 'released' : 'retried', `by ${actor}`)
      return true
    case 'drop':
      s.deleteDelivery.run(row.id)
      note('dropped', `by ${actor}`)
      endDelivery(work, row.message)
      return true
    default:
      s.reroute.run(c.site, row.id)
      if (row.state === state.ready)
        makeReady(work, { id: row.id, site: c.site }, { due: batch.now, doubt: row.doubt, why: row.why })
      note('rerouted', `from ${row.site} to ${c.site} by ${actor}`)
      return true
  }
}
