import type { SiteKey } from '@posthorn/contracts'
import type { Config } from '@posthorn/stack'
import type { Held } from './queue-operations.ts'

/** What a worker is told first: what it is, and where everything stands. */
export interface WorkerOrder {
  readonly begin: {
    readonly number: number
    readonly of: number
    /** The configuration file; development mode without one. */
    readonly config?: string
    readonly state: string
    readonly send?: boolean
    /** Ports that are known to be free, the same for all workers. */
    readonly listeners: Config['listeners']
    /** Log lines as JSON, else for people. */
    readonly json: boolean
    /** Of the queue. */
    readonly socket: string
  }
}

/** What a worker is told later. */
export type WorkerWord =
  | { readonly stop: { readonly graceMs: number } }
  /** Asks for a sign of life. */
  | { readonly ping: true }
  /** An operator has suspended that site: what the dispatcher holds of it goes back. */
  | { readonly giveBack: { readonly site: SiteKey; readonly why: string } }
  /** An operator asks why what the dispatcher holds is not being tried; answered under the same number. */
  | { readonly whyWait: { readonly number: number; readonly held: readonly Held[] } }

/** What a worker says; a reason is null where there is none, or where it holds no such thing. */
export type WorkerSays =
  | { readonly ready: true }
  | { readonly failed: string }
  | { readonly alive: true }
  | { readonly reasons: { readonly number: number; readonly why: readonly (string | null)[] } }
