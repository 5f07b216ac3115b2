import type { Command } from 'commander'
import type { Change, QueueId, QueueRow } from '@posthorn/contracts'
import { Failure } from './failure.ts'
import { filterHelp, parseField, parseFilter } from './filter.ts'
import { withQueue } from './queue-access.ts'
import { stateOf, type StateOptions, withState } from './state-option.ts'
import { octets, printable, span, type Terminal, terminal } from './terminal.ts'

const pageSize = 500

const when = (ms: number): string => {
  const ms_left = ms - Date.now()
  return ms_left <= 0 ? 'now' : `in ${span(ms_left)}`
}

const cells = (row: QueueRow): readonly string[] => [
  row.id,
  row.state,
  span(Date.now() - row.arrived),
  octets(row.size),
  String(row.attempts),
  row.state === 'ready' ? when(row.due) : row.state === 'leased' ? 'being tried' : '–',
  row.sender === '' ? '<>' : row.sender,
  row.rcpt,
  row.why ?? row.last?.cause ?? '',
]

const list = async (terms: readonly string[], o: StateOptions & { readonly limit: string }): Promise<void> => {
  const out = terminal(o.json === true)
  const limit = /^\d{1,7}$/.test(o.limit) ? Number(o.limit) : 0
  if (limit < 1) throw new Failure(`--limit takes a whole number of at least 1, not ${JSON.stringify(o.limit)}`, 2)
  const filter = parseFilter(terms)
  await withQueue(await stateOf(o), async queue => {
    let shown = 0
    let after: string | undefined
    do {
      const page = await queue.list(filter, {
        limit: Math.min(pageSize, limit - shown),
        ...(after === undefined ? {} : { after }),
      })
      for (const row of page.rows) out.value(row)
      if (page.rows.length > 0)
        out.table(['ID', 'STATE', 'AGE', 'SIZE', 'TRIES', 'NEXT', 'SENDER', 'RECIPIENT', 'WHY'], page.rows.map(cells))
      shown += page.rows.length
      after = page.after
    } while (after !== undefined && shown < limit)
    if (shown === 0) out.line(terms.length === 0 ? 'The queue is empty.' : 'Nothing in the queue matches.')
    else if (after !== undefined) out.line(out.dim(`… and more; the first ${limit} are shown (--limit)`))
  })
}

const count = async (terms: readonly string[], o: StateOptions & { readonly by?: string }): Promise<void> => {
  const out = terminal(o.json === true)
  const filter = parseFilter(terms)
  const by = o.by === undefined ? undefined : parseField(o.by)
  await withQueue(await stateOf(o), async queue => {
    const counts = await queue.count(filter, by)
    const rows = [...counts].sort((a, b) => b[1] - a[1])
    out.value(Object.fromEntries(rows))
    if (o.by === undefined) out.line(String(rows.reduce((sum, r) => sum + r[1], 0)))
    else
      out.table(
        [o.by.toUpperCase(), 'DELIVERIES'],
        rows.map(([key, n]) => [key === '' ? '–' : key, String(n)]),
      )
  })
}

const show = async (id: string, o: StateOptions): Promise<void> => {
  const out = terminal(o.json === true)
  await withQueue(await stateOf(o), async queue => {
    const entry = await queue.show(id as QueueId)
    if (entry === undefined)
      throw new Failure(`there is no message ${JSON.stringify(id)}, neither queued nor in the history that is kept`)
    out.value(entry)
    if (out.json) return
    const { envelope } = entry
    out.line(`${out.bold(entry.id)}  from ${printable(envelope.returnPath?.wire ?? '<>')}  ${octets(entry.size)}`)
    out.line(
      `arrived ${new Date(entry.arrived).toISOString()} (${span(Date.now() - entry.arrived)} ago) by ${envelope.origin}${envelope.user === undefined ? '' : ` as ${printable(envelope.user)}`}`,
    )
    for (const row of entry.queued) waiting(out, row)
    if (entry.queued.length === 0) out.line('no longer in the queue')
    for (const row of entry.history) {
      const reply = row.attempt?.reply
      const said = reply === undefined ? '' : `: ${reply.code} ${reply.enhanced ?? ''} ${reply.lines.join(' / ')}`
      const at = row.attempt?.remote === undefined ? '' : ` at ${row.attempt.remote}`
      out.line(
        printable(
          `  ${new Date(row.at).toISOString()}  ${row.event}  ${row.rcpt ?? ''}${at}  ${row.attempt?.cause ?? row.detail ?? ''}${said}`,
        ),
      )
    }
  })
}

const waiting = (out: Terminal, row: QueueRow): void => {
  const state =
    row.state === 'ready'
      ? `waits for its next try ${when(row.due)}`
      : row.state === 'leased'
        ? 'is being tried now'
        : row.state
  const why = row.why ?? row.last?.cause
  out.line(
    printable(
      `  ${row.rcpt} ${state}, after ${row.attempts} ${row.attempts === 1 ? 'try' : 'tries'}${why === undefined ? '' : `: ${why}`}`,
    ),
  )
}

const change =
  (what: Change['do'] & ('hold' | 'release' | 'retry' | 'drop')) =>
  async (
    terms: readonly string[],
    o: StateOptions & { readonly all?: boolean; readonly dryRun?: boolean },
  ): Promise<void> => {
    if (terms.length === 0 && o.all !== true)
      throw new Failure(`say which: a queue id, a filter, or --all\n${filterHelp}`, 2)
    const out = terminal(o.json === true)
    const filter = parseFilter(terms)
    await withQueue(await stateOf(o), async queue => {
      const changed = await queue.change(filter, { do: what }, actor(), { dryRun: o.dryRun === true })
      out.value({ do: what, deliveries: changed, dryRun: o.dryRun === true })
      out.line(`${o.dryRun === true ? 'would ' : ''}${what}: ${changed} ${changed === 1 ? 'delivery' : 'deliveries'}`)
      if (changed === 0 && terms.length > 0) throw new Failure('nothing in the queue matches')
    })
  }

/** Who is named in the audit event. */
const actor = (): string =>
  `${process.env['SUDO_USER'] ?? process.env['USER'] ?? `uid ${process.getuid?.() ?? '?'}`} (command)`

/** `posthorn queue …`. */
export const addQueueCommands = (program: Command): void => {
  const queue = program.command('queue').description('what is in the queue, and why; and what to do about it')
  withState(queue.command('list [terms...]'))
    .description('list deliveries')
    .option('--limit <n>', 'at most so many', '1000')
    .addHelpText('after', `\n${filterHelp}`)
    .action(list)
  withState(queue.command('count [terms...]'))
    .description('count deliveries')
    .option('--by <field>', 'grouped by site, state, sender, domain, …')
    .addHelpText('after', `\n${filterHelp}`)
    .action(count)
  withState(queue.command('show <id>')).description('all that is known of one message, also after it left').action(show)
  for (const [what, text] of [
    ['retry', 'try again now'],
    ['hold', 'keep from being tried, and from expiring'],
    ['release', 'let go of what is held'],
    ['drop', 'remove without a report to the sender'],
  ] as const)
    withState(queue.command(`${what} [terms...]`))
      .description(text)
      .option('--all', 'the whole queue')
      .option('--dry-run', 'only count')
      .addHelpText('after', `\n${filterHelp}`)
      .action(change(what))
}
