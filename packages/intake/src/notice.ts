import type { Mailbox } from '@posthorn/address'
import type { NewMessage, QueueId } from '@posthorn/contracts'
import { headerEnd, parseHeaders, bodyOf, receivedField } from '@posthorn/message'
import type { BuiltReport } from '@posthorn/dsn'
import type { Recipient } from '@posthorn/plugin'
import { newMessage } from './commit.ts'
import { deliveriesOf } from './deliveries.ts'
import { finish } from './letter.ts'
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
  /** It is about a report of ours, and the last: nobody is told what becomes of it. */
  readonly isDouble?: boolean
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
  readonly isDouble: boolean
}

/** Nobody is told of what becomes of a report (RFC 5321 §6.1), and successes of it interest nobody (RFC 3461 §6.1). */
const asRecipient = (to: Mailbox): Recipient => ({ to, notify: 'never', returnPath: null })

/** The report's reader; or else whoever gets double bounces. */
const address = async (report: ReportToPrepare, id: QueueId, o: Prepare): Promise<Addressed> => {
  const resolve = (reader: Mailbox): Promise<ResolvedRecipients> =>
    resolveRecipients([asRecipient(reader)], {
      chain: o.chain,
      hostname: o.hostname,
      origin: 'bounce',
      session: id,
      sender: null,
    })
  const isDouble = report.isDouble === true
  const result = await resolve(report.to)
  if (result.ok || !result.permanent || isDouble || o.doubleBounces === undefined) return { result, isDouble }
  return { result: await resolve(o.doubleBounces), isDouble: true }
}

/** Marks a report that is the last of its line. */
export const doubleBounce = 'double-bounce'

/**
 * Route, stamp and seal a report, so that it can be enqueued with the settlement of what it reports. When nobody can get it, it is
 * undefined and an event says so. Rejects when a plugin fails: try again. `id` is that of the draft it will be written to; a fresh one
 * when absent.
 */
export const prepareReport = async (
  report: ReportToPrepare,
  o: Prepare,
  id: QueueId = o.queue.newId(),
): Promise<PreparedReport | undefined> => {
  const { result, isDouble } = await address(report, id, o)
  if (!result.ok) {
    if (!result.permanent) throw new Error(`report for ${report.to.wire}: ${result.why}`)
    o.journal.event('report.withheld', { id: report.about, to: result.to.wire, why: result.why }, 'warn')
    return undefined
  }
  const end = headerEnd(report.bytes)
  const body = report.bytes.subarray(end)
  const letter: Letter = {
    id,
    origin: 'bounce',
    user: undefined,
    sender: null,
    recipients: result.recipients
      .flatMap(reader => deliveriesOf(reader))
      // Nor does a list that the reader is on hear of it.
      .map(delivery => ({ ...delivery, notify: 'never', returnPath: null })),
    headers: parseHeaders(report.bytes.subarray(0, end)),
    body: bodyOf(body),
    smtputf8: report.smtputf8,
    trace: receivedField({ by: o.hostname, id, date: o.clock.wall() }),
  }
  const finished = await finish(letter, o)
  if ('failed' in finished) throw new Error(`report for ${report.to.wire}: ${finished.failed}`)
  const tags = isDouble ? [...finished.tags, doubleBounce] : finished.tags
  const message = newMessage(
    letter,
    { ...finished, tags },
    {
      envelope: { smtputf8: report.smtputf8, body: report.body, requireTls: false },
      facts: { about: report.about },
    },
  )
  // Whatever plugins made of it: a report has the null sender, or two servers could report to each other for ever.
  return { id, message: { ...message, envelope: { ...message.envelope, returnPath: null } }, body }
}
