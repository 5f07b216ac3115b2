import type { Suspended, Suspension } from '@posthorn/contracts'
import { heldForSender } from '@posthorn/queue-base'
import type { ResumeOp, SuspendOp } from './operation.ts'
import { pause } from './pause.ts'
import type { Statements } from './statements.ts'
import { writeTouched } from './work.ts'
import type { Stopped, Work } from './work.ts'

/** The row of a suspension: its kind, and the name under which it is looked for. */
export const suspensionKey = (what: Suspended): { readonly kind: 'site' | 'sender'; readonly name: string } =>
  'site' in what ? { kind: 'site', name: what.site } : { kind: 'sender', name: what.sender.toLowerCase() }

export const suspensionOf = (row: Record<string, unknown>): Suspension => ({
  what: (row['kind'] === 'site' ? { site: row['name'] } : { sender: row['name'] }) as Suspended,
  at: row['at'] as number,
  by: row['by'] as string,
  ...(row['why'] !== null && { why: row['why'] as string }),
})

/** Read what is stopped, at the start and after a rollback. */
export const rememberStopped = (s: Statements, { sites, senders }: Stopped): void => {
  sites.clear()
  senders.clear()
  for (const row of s.suspensions.iterate()) {
    const { what, by, why } = suspensionOf(row)
    if ('site' in what) sites.add(what.site)
    else senders.set(what.sender, heldForSender(by, why))
  }
}

/** Whether it was not suspended before. Mail of a sender that waits already is held by changes that follow. */
export const suspend = (work: Work, { kind, name, actor, why }: SuspendOp): boolean => {
  const { s, batch, stopped } = work
  writeTouched(work)
  if (s.suspend.run(kind, name, batch.now, actor, why ?? null).changes === 0) return false
  if (kind === 'sender') stopped.senders.set(name, heldForSender(actor, why))
  else {
    stopped.sites.add(name)
    s.stopSite.run(name)
    s.deleteSite.run(name, batch.now)
  }
  return true
}

/** Whether it was suspended. */
export const resume = (work: Work, { kind, name }: ResumeOp): boolean => {
  const { s, batch, stopped } = work
  const since = s.resume.get(kind, name)?.['at'] as number | undefined
  if (since === undefined) return false
  if (kind === 'sender') stopped.senders.delete(name)
  else {
    stopped.sites.delete(name)
    s.waited.run(name, batch.now, since)
    pause(work, { do: 'pause', site: name, until: batch.now, why: '' })
  }
  return true
}
