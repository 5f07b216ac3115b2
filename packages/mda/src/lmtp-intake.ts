import type { Clock, Intake, Journal, Random, Transport } from '@posthorn/contracts'
import { LmtpReception } from './lmtp-reception.ts'

export interface LmtpIntakeOptions {
  /** By the name that stands before the colon of a site: `local` for the Maildirs. A recipient for any other is deferred. */
  readonly transports: Readonly<Record<string, Transport>>
  /** Where messages over `memory` octets wait for their last octet. Made when missing. */
  readonly spoolDir: string
  readonly hostname: string
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** What one message may hold of memory, in octets; 256 KiB when absent. */
  readonly memory?: number
  /** How long the delivery of one message may take, in ms; five minutes when absent. A client waits ten (RFC 5321 §4.5.3.2.6). */
  readonly deliverMs?: number
}

/**
 * An LMTP service without a queue (RFC 2033): messages go straight to their transports, and each recipient is answered for itself, 250
 * only when its copies are on stable storage. What can't be delivered now is refused for now; the client keeps it.
 */
export const createLmtpIntake = (options: LmtpIntakeOptions): Intake => ({
  begin: transaction => new LmtpReception(options, transaction),
})
