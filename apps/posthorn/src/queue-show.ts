import type { Command } from 'commander'
import type { Attempt, DeliverBy, HistoryRow, QueueId, QueueRow } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { Failure } from './failure.ts'
import { withQueue } from './queue-access.ts'
import { type StateOptions, withState } from './state-option.ts'
import { octets, printable, span, type Terminal, terminal } from './terminal.ts'

/** Until a wall time in ms, for people. */
export const when = (ms: number): string => {
  const left = ms - Date.now()
  return left <= 0 ? 'now' : `in ${span(left)}`
}

/** Enough of a header section to recognise a message by; a longer one is cut. */
const longestHead = 64 * 1024

/** The lines of the header section, unfolded by nobody: as they stand. */
const headOf = async (body: Body | undefined): Promise<readonly string[]> => {
  let text = ''
  for await (const chunk of body?.open() ?? []) {
    text += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('utf8')
    if (text.includes('\r\n\r\n') || text.length > longestHead) break
  }
  const [head = ''] = `\r\n${text}`.slice(0, longestHead).split('\r\n\r\n')
  return head.split('\r\n').slice(1)
}

const show = async (id: string, o: StateOptions): Promise<void> => {
  const out = terminal(o.json === true)
  await withQueue(o, async queue => {
    const entry = await queue.show(id as QueueId)
    if (entry === undefined)
      throw new Failure(`there is no message ${JSON.stringify(id)}, neither queued nor in the history that is kept`)
    const headers = entry.queued.length === 0 ? [] : await headOf(await queue.open(entry.id))
    out.value({ ...entry, headers })
    if (out.json) return
    const { envelope } = entry
    out.line(`${out.bold(entry.id)}  from ${printable(envelope.returnPath?.wire ?? '<>')}  ${octets(entry.size)}`)
    const by = envelope.user === undefined ? '' : ` as ${printable(envelope.user)}`
    out.line(
      `arrived ${new Date(entry.arrived).toISOString()} (${span(Date.now() - entry.arrived)} ago) by ${envelope.origin}${by}`,
    )
    if (envelope.deliverBy !== undefined) out.line(deliverByText(envelope.deliverBy))
    for (const row of entry.queued) waiting(out, row)
    if (entry.queued.length === 0) out.line('no longer in the queue')
    out.line(out.bold('history'))
    for (const row of entry.history) out.line(printable(`  ${historyLine(row)}`))
    if (headers.length > 0) out.line(out.bold('headers'))
    for (const line of headers) out.line(printable(`  ${line.replaceAll('\t', '  ')}`))
  })
}

const deliverByText = ({ at, mode, trace }: DeliverBy): string => {
  const otherwise = mode === 'return' ? 'or it comes back' : 'or its sender hears of it'
  return `to be delivered by ${new Date(at).toISOString()}, ${otherwise}${trace ? ', and of each relay' : ''}`
}

const waiting = (out: Terminal, row: QueueRow): void => {
  const why = row.why ?? row.last?.cause
  const tries = `after ${row.attempts} ${row.attempts === 1 ? 'try' : 'tries'}`
  const because = why === undefined || why === row.waits?.why ? '' : `: ${why}`
  out.line(printable(`  ${row.rcpt} ${stateText(row)}, ${tries}, by ${row.site}${because}`))
}

/** What it is doing, or what it waits for and until when. */
const stateText = ({ state, due, waits, why }: QueueRow): string => {
  if (waits !== undefined) {
    const until = waits.until === undefined ? '' : `, next try ${when(Math.max(waits.until, due))}`
    return `${waits.why.startsWith('waits ') ? waits.why : `waits, since ${waits.why}`}${until}`
  }
  if (state === 'leased') return 'is being tried now'
  if (state === 'held') return state
  return why?.startsWith('waits ') === true ? `waits, next try ${when(due)}` : `waits for its next try ${when(due)}`
}

const historyLine = ({ at, event, rcpt, attempt, detail }: HistoryRow): string =>
  [new Date(at).toISOString(), event, rcpt, attempt === undefined ? detail : attemptText(attempt)]
    .filter(part => part !== undefined && part !== '')
    .join('  ')

const attemptText = ({ remote, phase, cause, reply, ms, tls, tlsPolicy }: Attempt): string => {
  const said = reply === undefined ? '' : `: ${reply.code} ${reply.enhanced ?? ''} ${reply.lines.join(' / ')}`
  const where = remote === undefined ? '' : `at ${remote}, `
  return `${where}${phase} after ${Math.round(ms)} ms${tls === undefined ? '' : `, ${tls}`}${tlsPolicy === undefined ? '' : ` (${tlsPolicy})`}  ${cause}${said}`
}

/** `posthorn queue show`. */
export const addShowCommand = (queue: Command): void => {
  withState(queue.command('show <id>')).description('all that is known of one message, also after it left').action(show)
}
