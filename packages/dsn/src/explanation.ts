import type { Action } from './notify.ts'
import { printable } from './printable.ts'
import { replyText } from './status-fields.ts'
import type { Report, ReportedRecipient } from './report.ts'

/** Said of all recipients with the same fate, the gravest first. */
const SAID: readonly {
  readonly action: Action
  /** Of those only for which the next hop goes on to report. */
  readonly onward?: true
  readonly subject: string
  readonly lines: readonly string[]
}[] = [
  {
    action: 'failed',
    subject: 'Undelivered mail returned to sender',
    lines: ['Your message could not be delivered to one or more recipients.', 'It will not be tried again for:'],
  },
  {
    action: 'delayed',
    subject: 'Delayed mail (still being retried)',
    lines: [
      'Your message has not been delivered yet. You need not send it again:',
      'delivery is still being tried to:',
    ],
  },
  {
    action: 'delivered',
    subject: 'Mail was delivered',
    lines: ['Your message was delivered to:'],
  },
  {
    action: 'relayed',
    subject: 'Mail was relayed',
    lines: [
      'Your message was handed on to a server that sends no reports of delivery.',
      'You may hear no more of it, for:',
    ],
  },
  {
    action: 'relayed',
    onward: true,
    subject: 'Mail was relayed',
    lines: ['Your message was handed on to the next server, which may report further, for:'],
  },
  {
    action: 'expanded',
    subject: 'Mail was expanded',
    lines: ['Your message was delivered to a mailing list or an alias with several members:'],
  },
]

/** The subject for the gravest thing that the report says. */
export const subjectOf = (recipients: readonly ReportedRecipient[]): string =>
  SAID.find(({ action }) => recipients.some(r => r.action === action))?.subject ?? 'Mail delivery report'

const address = (r: ReportedRecipient, isUtf8: boolean): string => `  <${isUtf8 ? r.to.wire : printable(r.to.wire)}>`

const detail = (r: ReportedRecipient): readonly string[] => {
  if (r.reply === undefined) return [`    ${printable(r.cause)}`]
  const host = r.remote === undefined ? 'The server' : printable(r.remote, 300)
  return [`    ${host} said:`, `    ${replyText(r.reply)}`]
}

/** The part for people: what happened to whom, and what the other server said, in its words. */
export const explanation = (report: Report, isUtf8: boolean): string => {
  const lines = [`This is the mail system at ${printable(report.hostname, 255)}.`, '']
  for (const said of SAID) {
    const recipients = report.recipients.filter(r => r.action === said.action && r.onward === said.onward)
    if (recipients.length === 0) continue
    lines.push(...said.lines, '')
    for (const r of recipients) lines.push(address(r, isUtf8), ...detail(r), '')
  }
  const until = report.recipients.find(r => r.action === 'delayed')?.willRetryUntil
  if (until !== undefined) lines.push(`It will be tried until ${new Date(until).toUTCString()}.`, '')
  return lines.join('\r\n')
}
