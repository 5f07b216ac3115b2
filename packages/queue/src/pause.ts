import type { PauseOp } from './operation.ts'
import { touch, writeTouched } from './work.ts'
import type { Work } from './work.ts'

/** Seeks, so that one priority's deferred mail is not read to find the next priority. */
export const prioritiesOf = ({ s }: Work, site: string): readonly number[] => {
  const found: number[] = []
  for (let after = -100; ;) {
    const row = s.nextPriority.get(site, after)
    if (row === undefined) return found
    after = row['priority'] as number
    found.push(after)
  }
}

/** When the first of a site's deliveries is due, wall time in ms. */
export const earliest = (work: Work, site: string): number | undefined => {
  let at: number | undefined
  for (const priority of prioritiesOf(work, site)) {
    const due = work.s.earliest.get(site, priority)?.['due'] as number | undefined
    if (due !== undefined && (at === undefined || due < at)) at = due
  }
  return at
}

/** Nothing of a site is claimed before `until`; a time that has passed ends a pause. */
export const pause = (work: Work, op: PauseOp): void => {
  const { s, batch, paused, stopped } = work
  const until = Math.ceil(op.until)
  writeTouched(work)
  if (until > batch.now) paused.set(op.site, until)
  else paused.delete(op.site)
  // A dispatcher's pause neither begins nor ends what an operator stopped.
  const due = stopped.sites.has(op.site) ? undefined : earliest(work, op.site)
  s.pauseSite.run(op.site, due === undefined ? null : Math.max(due, until), until, op.why)
  if (due === undefined) s.deleteSite.run(op.site, batch.now)
  else touch(work, op.site, due)
}
