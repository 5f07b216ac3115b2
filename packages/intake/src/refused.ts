import type { Mailbox } from '@posthorn/address'
import type { AcceptedRecipient, Transaction } from '@posthorn/contracts'
import { buildReport, originalOf, wantsReport } from '@posthorn/dsn'
import type { ReportedRecipient } from '@posthorn/dsn'
import { concatBody, renderHeaders } from '@posthorn/message'
import type { Reply } from '@posthorn/reply'
import { commitDraft } from './commit.ts'
import type { Finished, Letter } from './letter.ts'
import { prepareReport } from './notice.ts'
import type { IntakeOptions } from './options.ts'

/** A recipient that was answered 250 at RCPT and is left out now. */
export interface Refused {
  readonly recipient: AcceptedRecipient
  readonly reply: Reply<4 | 5>
}

/** Those of whom the sender must be told: it was promised delivery to them, and one reply at the end cannot say otherwise. */
const owed = (transaction: Transaction, refused: readonly Refused[]): readonly Refused[] =>
  transaction.sender === null ? [] : refused.filter(({ recipient }) => wantsReport(recipient.notify, 'failed'))

const asReported = ({ recipient, reply }: Refused, now: number): ReportedRecipient => ({
  to: recipient.to,
  ...(recipient.orcpt !== undefined && { orcpt: recipient.orcpt }),
  action: 'failed',
  cause: 'refused by policy',
  // A deferral is final here: the sender's server has been told 250 and will not come again.
  status: `5${reply.enhanced.slice(1)}`,
  reply: { code: reply.code, enhanced: reply.enhanced, lines: reply.lines },
  lastAttempt: now,
})

/**
 * Put the report on refused recipients into the queue, before the message itself: if that fails afterwards, the client comes again
 * and the sender hears twice rather than never. Rejects with StoreError, or when a plugin fails.
 */
export const reportRefused = async (
  letter: Letter,
  finished: Finished,
  o: { readonly transaction: Transaction; readonly refused: readonly Refused[]; readonly options: IntakeOptions },
): Promise<void> => {
  const { transaction, options } = o
  const reader: Mailbox | null = transaction.sender
  const told = owed(transaction, o.refused)
  if (reader === null || told.length === 0) return
  const now = options.clock.wall()
  const whole = concatBody(renderHeaders(finished.headers), letter.body)
  const built = buildReport({
    to: reader,
    hostname: options.hostname,
    ...(transaction.envid !== undefined && { envid: transaction.envid }),
    arrived: now,
    ...(transaction.schedule?.deliverBy !== undefined && { deliverBy: transaction.schedule.deliverBy.at }),
    now,
    smtputf8: transaction.smtputf8,
    original: await originalOf(whole, { ret: transaction.ret }),
    recipients: told.map(refused => asReported(refused, now)),
    random: options.random,
  })
  const draft = options.queue.begin(built.bytes.byteLength)
  try {
    const prepared = await prepareReport({ ...built, about: letter.id, to: reader }, options, draft.id)
    if (prepared === undefined) return await draft.abort()
    await draft.write(prepared.body)
    await draft.end()
    await commitDraft(draft, prepared.message, options)
  } catch (error) {
    await draft.abort()
    throw error
  }
}
