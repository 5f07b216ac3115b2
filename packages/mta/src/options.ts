import type { Mailbox } from '@posthorn/address'
import type { Clock, Journal, Owner, QueueId, Queue, Random, Settlement, Transport } from '@posthorn/contracts'
import type { BuiltReport, Classifier } from '@posthorn/dsn'
import type { Chain } from '@posthorn/plugin'
import type { SiteLimits } from './limits.ts'
import { defaultLifetime } from './policy.ts'
import type { Lifetime } from './policy.ts'
import type { RetryPolicy } from './schedule.ts'
import { defaultConcurrency } from './sites.ts'
import type { Concurrency, Reach } from './sites.ts'

/** A report that is written but not yet stamped, sealed and routed. */
export interface ReportDraft extends BuiltReport {
  /** The message that is reported on. */
  readonly about: QueueId
  /** Its sender, who gets the report. */
  readonly to: Mailbox
  /** That message is itself a report of ours: nobody is told what becomes of this one. */
  readonly isDouble: boolean
}
/**
 * Stamps, seals and routes a report, so that it can be enqueued in the transaction that settles what it reports; undefined when nobody
 * can get it.
 */
export type PrepareReport = (draft: ReportDraft) => Promise<Settlement['report']>

export interface DispatcherOptions {
  readonly queue: Queue
  /** By the names that site keys and `route` answers use: `mx`, `smtp`, `lmtp`, `local`, `trap`, and plugins' own. */
  readonly transports: Readonly<Record<string, Transport>>
  readonly chain: Chain
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** Ours, in reports. */
  readonly hostname: string
  readonly prepareReport: PrepareReport
  /** Where a domain's mail goes: domains that lead to the same place share a lane. Without it each is by itself, and the `egress` hook sees no exchangers. */
  readonly reach?: (domain: string, signal: AbortSignal) => Promise<Reach>
  /** What the operator allows towards some receivers; no limits but `concurrency` when absent. */
  readonly limits?: SiteLimits
  /** Unique to this dispatcher in this process's life; made up when absent. */
  readonly owner?: Owner
  /** No other dispatcher works on this queue, so that leases of any other owner are those of a dead one. True when absent. */
  readonly sole?: boolean
  readonly retry?: Partial<RetryPolicy>
  readonly expireMs?: number
  /** The ages at which the sender is told that its mail is late; one, 4 h, when absent. */
  readonly warnAfterMs?: readonly number[]
  /** Who hears of reports of ours that fail; nobody when absent. */
  readonly doubleBounces?: Mailbox
  /** Names in events why mail was not taken; `classify` of `@posthorn/dsn` when absent. */
  readonly classify?: Classifier
  /** Reports of success for one reader in an hour; 100 when absent. */
  readonly successesPerHour?: number
  readonly concurrency?: Partial<Concurrency>
  readonly leaseMs?: number
  /** Deliveries of one site taken in one claim; 64 when absent. */
  readonly perClaim?: number
  /** Deliveries held in memory; 2,000 when absent, half of it for one site. */
  readonly held?: number
  /** Octets of messages held in memory; 64 MiB when absent. */
  readonly heldBytes?: number
  /** Recipients of one job; 100 when absent (RFC 5321 §4.5.3.1.8). */
  readonly recipients?: number
  /** Jobs of one batch, for transports that take several; 64 when absent. */
  readonly batch?: number
  /** After which an attempt that has not ended is aborted; 2 h when absent, since a slow peer may lawfully take that. */
  readonly attemptMs?: number
}

/** The options with every number filled in. */
export interface Settings {
  readonly life: Lifetime
  readonly concurrency: Concurrency
  readonly leaseMs: number
  readonly perClaim: number
  readonly held: number
  readonly heldBytes: number
  readonly recipients: number
  readonly batch: number
  readonly attemptMs: number
  readonly successesPerHour: number
}

export const settingsOf = (o: DispatcherOptions): Settings => ({
  life: {
    retry: { ...defaultLifetime.retry, ...o.retry },
    expireMs: o.expireMs ?? defaultLifetime.expireMs,
    warnAfterMs: o.warnAfterMs ?? defaultLifetime.warnAfterMs,
    ...(o.doubleBounces === undefined ? undefined : { doubleBounces: o.doubleBounces }),
  },
  concurrency: { ...defaultConcurrency, ...o.concurrency },
  leaseMs: o.leaseMs ?? 300_000,
  perClaim: o.perClaim ?? 64,
  held: o.held ?? 2_000,
  heldBytes: o.heldBytes ?? 64 * 1024 * 1024,
  recipients: o.recipients ?? 100,
  batch: o.batch ?? 64,
  attemptMs: o.attemptMs ?? 2 * 3_600_000,
  successesPerHour: o.successesPerHour ?? 100,
})
