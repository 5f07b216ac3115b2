import type { Mailbox } from '@posthorn/address'
import type { NewMessage, QueueId } from '@posthorn/contracts'
import { headerEnd, parseHeaders, bodyOf, receivedField } from '@posthorn/message'
import type { BuiltReport } from '@posthorn/dsn'
import type { Recipient } from '@posthorn/plugin'
import { parseMailbox } from '@posthorn/address'
import { newMessage } from './commit.ts'
import { finish, newRecipient } from './letter.ts'
import type { Letter } from './letter.ts'
import type { IntakeOptions } from './options.ts'
import { resolveRecipients } from './resolve.ts'
import type { ResolvedRecipients } from './resolve.ts'

/** A report that is written but not yet stamped, sealed and routed. */
export interface ReportToPrepare extends BuiltReport {
  /** The message that is reported on. */
  readonly about: QueueId
  /** Who gets it: the return path of that message. */
  readonly to: Mailbox
}

/** A report ready to be enqueued, in a settlement or by a draft. */
export interface PreparedReport {
  readonly id: QueueId
  readonly message: NewMessage
  /** What follows `message.head`. */
  readonly body: Uint8Array
}

type Prepare = Omit<IntakeOptions, 'handoff'>

interface Addressed {
  readonly result: ResolvedRecipients
  /** Why it waits for an operator. */
  readonly held?: string
}

/** Nobody is told of what becomes of a report (RFC 5321 §6.1), and successes of it interest nobody. */
const asRecipient = (to: Mailbox): Recipient => ({ to, notify: 'never' })

/** The report's reader, or else our postmaster, or else nobody, and then the report is held: a double bounce never loops. */
const address = async (to: Mailbox, id: QueueId, o: Prepare): Promise<Addressed> => {
  const resolve = (reader: Mailbox): Promise<ResolvedRecipients> =>
    resolveRecipients([asRecipient(reader)], {
      chain: o.chain,
      hostname: o.hostname,
      origin: 'bounce',
      session: id,
      sender: null,
    })
  const result = await resolve(to)
  if (result.ok || !result.permanent) return { result }
  o.journal.event('error', { where: 'report', id, rcpt: to.wire, why: result.why }, 'warn')
  const postmaster = parseMailbox(`postmaster@${o.hostname}`)
  const second = postmaster === undefined ? result : await resolve(postmaster)
  if (second.ok || !second.permanent) return { result: second }
  const fallback = { to, notify: 'never' as const, destination: { transport: 'mx', arg: to.domain } }
  return { result: { ok: true, goesTo: [fallback] }, held: `a report that nobody can get: ${result.why}` }
}

/**
 * Route, stamp and seal a report, so that it can be enqueued with the settlement of what it reports. A reader that does not
 * exist is replaced by our postmaster; without one the report is held for an operator. Rejects when a plugin fails: try again.
 * `id` is that of the draft it will be written to; a fresh one when absent.
 */
export const prepareReport = async (
  report: ReportToPrepare,
  o: Prepare,
  id: QueueId = o.queue.newId(),
): Promise<PreparedReport> => {
  const { result, held } = await address(report.to, id, o)
  if (!result.ok) throw new Error(`report for ${report.to.wire}: ${result.why}`)
  const end = headerEnd(report.bytes)
  const body = report.bytes.subarray(end)
  const letter: Letter = {
    id,
    origin: 'bounce',
    user: undefined,
    sender: null,
    recipients: result.goesTo.map(expanded => newRecipient({ ...expanded, returnPath: null })),
    headers: parseHeaders(report.bytes.subarray(0, end)),
    body: bodyOf(body),
    smtputf8: report.smtputf8,
    trace: receivedField({ by: o.hostname, id, date: o.clock.wall() }),
  }
  const finished = await finish(letter, o)
  if ('failed' in finished) throw new Error(`report for ${report.to.wire}: ${finished.failed}`)
  const message = newMessage(letter, finished, {
    envelope: { smtputf8: report.smtputf8, body: report.body, requireTls: false },
    facts: { about: report.about },
    ...(held !== undefined && { held }),
  })
  // Whatever plugins made of it: a report has the null sender, or two servers could report to each other for ever.
  return { id, message: { ...message, envelope: { ...message.envelope, returnPath: null } }, body }
}
