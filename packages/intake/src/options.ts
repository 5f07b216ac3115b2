import type { Mailbox } from '@posthorn/address'
import type { Clock, Handoff, Journal, Queue, Random, StoreError } from '@posthorn/contracts'
import type { Chain } from '@posthorn/plugin'
import { insufficientStorage, localError } from '@posthorn/reply'
import type { Defer } from '@posthorn/reply'

/** What every way into the queue needs. */
export interface IntakeOptions {
  readonly queue: Queue
  /** Asked `stamp`, `seal`, `queued`, and `resolve` for recipients that come up inside. */
  readonly chain: Chain
  /** Ours, in trace fields and reports. */
  readonly hostname: string
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** Who gets a report that its reader cannot get, a double bounce; nobody when absent. */
  readonly doubleBounces?: Mailbox
  /** Takes fresh mail on the spot; without it, mail waits until it is claimed. */
  readonly handoff?: Handoff
}

const isStoreError = (error: unknown): error is StoreError => error instanceof Error && error.name === 'StoreError'

/** The one place where a failure becomes a reply: never an acceptance, never a 5xx. The detail goes to the journal. */
export const storeFailure = (journal: Journal, where: string, error: unknown): Defer => {
  const why = error instanceof Error ? error.message : String(error)
  if (isStoreError(error) && error.full) {
    journal.event('queue.full', { where, why }, 'warn')
    return insufficientStorage
  }
  const stack = isStoreError(error) || !(error instanceof Error) ? undefined : error.stack
  journal.event('error', { where, why, stack }, 'error')
  return localError
}
