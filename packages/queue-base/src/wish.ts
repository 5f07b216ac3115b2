import type { Change, EventName, Journal, QueueId } from '@posthorn/contracts'

/** A change and who wants it; kept with a delivery that is being attempted. */
export interface Wish {
  readonly change: Change
  readonly actor: string
  /** Why it is held, instead of who held it. */
  readonly reason?: string
}

/** One delivery that an operator changed, or a recovery, for the journal. */
export interface Changed {
  readonly event: 'interrupted' | 'held' | 'released' | 'retried' | 'rerouted' | 'dropped' | 'condemned'
  readonly id: QueueId
  readonly rcpt: string
  /** Before the change. */
  readonly site: string
  readonly by: string
  readonly why?: string
  /** Of a reroute. */
  readonly to?: string
}

/** Who it is that holds what nobody settles. */
export const recovery = 'recovery'

/** Tell what was changed, after it is on stable storage. */
export const tellChanges = (journal: Journal, changed: readonly Changed[]): void => {
  for (const { event, ...fields } of changed) {
    const name: EventName = `delivery.${event}`
    const isGrave = event === 'dropped' || event === 'condemned' || fields.by === recovery
    journal.event(name, fields, isGrave ? 'warn' : 'info')
  }
}
