import type { Clock, Journal, KeyValue, Network, Queue, Random, Resolver, SiteKey } from '@posthorn/contracts'
import type { BackupSummary } from '@posthorn/queue'
import type { FetchPolicy } from '@posthorn/tls-policy'

/** The queue with the key-value store beside it. */
export type Store = Queue & {
  keyValue(namespace: string): KeyValue
  /** Of a queue on a disk: copy it into a new directory while it goes on. */
  backUp?(directory: string): Promise<BackupSummary>
}

/** Of several processes that are one server, with one store and the same ports, this is one. */
export interface WorkerPlace {
  /** From 1. */
  readonly number: number
  readonly of: number
  /** Whether deliveries to that site are claimed by this one. */
  readonly mine: (site: SiteKey) => boolean
}

/** What a stack takes from outside. Whatever is absent is the operating system's; the lab and the tests bring their own. */
export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly resolver: Resolver
  readonly journal: Journal
  readonly store: Store
  /** Fetches MTA-STS policies; with a network from outside and without this there are none. */
  readonly fetchPolicy: FetchPolicy
  /** The port of other people's servers: 25, but in a laboratory. */
  readonly smtpPort: number
  /** Whether an address found in the DNS may be dialled; loopback is not, but in a laboratory. */
  readonly allowAddress: (ip: string) => boolean
  /** False: nothing listens on the system's network; sessions come by `serve`. */
  readonly listen: boolean
  /** Absent: it is alone. */
  readonly worker: WorkerPlace
}
