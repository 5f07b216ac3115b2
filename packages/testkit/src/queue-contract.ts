import type { KeyValue, Queue } from '@posthorn/contracts'
import { queueChangeCases } from './queue-change-cases.ts'
import { queueClaimCases } from './queue-claim-cases.ts'
import { queueIntakeCases } from './queue-intake-cases.ts'
import { queueOperatorCases } from './queue-operator-cases.ts'
import { queueRecoveryCases } from './queue-recovery-cases.ts'
import { queueSettleCases } from './queue-settle-cases.ts'

/** An empty queue of the implementation under test, and what the cases need to move its world. */
export interface QueueUnderTest {
  readonly queue: Queue
  /** Wall time in ms as the queue sees it. */
  wall(): number
  /** Move the time of the due dates and of the leases. */
  readonly advance: (ms: number) => Promise<void>
  /** What the queue told its journal, when it has one: names and fields, oldest first. */
  readonly events?: readonly { readonly name: string; readonly fields: { readonly [k: string]: unknown } }[]
  /** Close the queue and open the store again, as another instance would. `queue` is of no use afterwards. */
  reopen(): Promise<Queue>
}

/** One promise of the contract: a sentence, and a function that rejects when it is broken. */
export interface ContractCase<T> {
  readonly name: string
  readonly run: (under: T) => Promise<void>
}

/**
 * What every implementation of `Queue` must do. Independent of a test runner:
 * `for (const { name, run } of queueContract) test(name, async () => run(await open()))`.
 */
export const queueContract: readonly ContractCase<QueueUnderTest>[] = [
  ...queueIntakeCases,
  ...queueClaimCases,
  ...queueSettleCases,
  ...queueOperatorCases,
  ...queueChangeCases,
  ...queueRecoveryCases,
]

/** Two name-spaces of an empty `KeyValue` store. */
export interface KeyValueUnderTest {
  readonly one: KeyValue
  readonly other: KeyValue
  readonly advance: (ms: number) => Promise<void>
}
