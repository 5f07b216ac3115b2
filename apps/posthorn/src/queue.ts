import type { Command } from 'commander'
import type { QueueRow } from '@posthorn/contracts'
import { filterHelp } from '@posthorn/queue-filter'
import { Failure } from './failure.ts'
import { fieldOf, filterOf } from './filter.ts'
import { withQueue } from './queue-access.ts'
import { addBackupCommands } from './queue-backup.ts'
import { addChangeCommands } from './queue-change.ts'
import { addShowCommand, when } from './queue-show.ts'
import { addTransferCommands } from './queue-transfer.ts'
import { type StateOptions, withState } from './state-option.ts'
import { octets, span, terminal } from './terminal.ts'

const pageSize = 500

const cells = (row: QueueRow): readonly string[] => [
  row.id,
  row.state,
  span(Date.now() - row.arrived),
  octets(row.size),
  String(row.attempts),
  row.state === 'ready' ? when(row.due) : row.state === 'leased' ? 'being tried' : '–',
  row.sender === '' ? '<>' : row.sender,
  row.rcpt,
  row.waits?.why ?? row.why ?? row.last?.cause ?? '',
]

const list = async (terms: readonly string[], o: StateOptions & { readonly limit: string }): Promise<void> => {
  const out = terminal(o.json === true)
  const limit = /^\d{1,7}$/.test(o.limit) ? Number(o.limit) : 0
  if (limit < 1) throw new Failure(`--limit takes a whole number of at least 1, not ${JSON.stringify(o.limit)}`, 2)
  const filter = filterOf(terms)
  await withQueue(o, async queue => {
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
  const filter = filterOf(terms)
  const by = o.by === undefined ? undefined : fieldOf(o.by)
  await withQueue(o, async queue => {
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
  addShowCommand(queue)
  addChangeCommands(queue)
  addTransferCommands(queue)
  addBackupCommands(queue)
}
