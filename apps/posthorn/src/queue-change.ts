import type { Command } from 'commander'
import type { Change, SiteKey, Suspended } from '@posthorn/contracts'
import { parseMailbox } from '@posthorn/address'
import { filterHelp } from '@posthorn/queue-filter'
import { actor } from './actor.ts'
import { Failure } from './failure.ts'
import { filterOf } from './filter.ts'
import { withQueue } from './queue-access.ts'
import { type StateOptions, withState } from './state-option.ts'
import { span, terminal } from './terminal.ts'

interface ChangeOptions extends StateOptions {
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly why?: string
}

const deliveries = (n: number): string => `${n} ${n === 1 ? 'delivery' : 'deliveries'}`

const run = async (change: Change, terms: readonly string[], o: ChangeOptions): Promise<void> => {
  if (terms.length === 0 && o.all !== true)
    throw new Failure(`say which: a queue id, a filter, or --all\n${filterHelp}`, 2)
  const out = terminal(o.json === true)
  const filter = filterOf(terms)
  const dryRun = o.dryRun === true
  const wanted: Change = o.why === undefined ? change : { ...change, why: o.why.slice(0, 500) }
  await withQueue(o, async queue => {
    const changed = await queue.change(filter, wanted, actor(), { dryRun })
    out.value({ ...wanted, deliveries: changed, dryRun })
    out.line(`${dryRun ? 'would ' : ''}${change.do}: ${deliveries(changed)}`)
    if (changed === 0 && terms.length > 0) throw new Failure('nothing in the queue matches')
  })
}

/** A site that mail could go to. Throws Failure. */
const siteOf = (text: string): SiteKey => {
  const network = /^(?:smtp|lmtp):(.*)$/.exec(text)?.[1]
  const right =
    network === undefined ? /^[a-z][a-z0-9-]*:\S*$/.test(text) && text !== 'mx:' : /^\S+:\d{1,5}$/.test(network)
  if (right) return text as SiteKey
  throw new Failure(
    `${JSON.stringify(text)} is not a site such as mx:example.org, smtp:relay.example.org:25, lmtp:host:24 or local:bob`,
    2,
  )
}

interface SuspendOptions extends StateOptions {
  readonly site?: string
  readonly sender?: string
  readonly why?: string
  readonly dryRun?: boolean
}

/** What the options name, and how it is spelled; undefined for nothing at all. Throws Failure. */
const suspendedOf = ({
  site,
  sender,
}: SuspendOptions): { readonly what: Suspended; readonly text: string } | undefined => {
  if (site !== undefined && sender !== undefined) throw new Failure('say --site or --sender, not both', 2)
  if (site !== undefined) return { what: { site: siteOf(site) }, text: `site ${site}` }
  if (sender === undefined) return undefined
  if (sender === '<>') return { what: { sender: '' }, text: 'sender <>' }
  const mailbox = parseMailbox(sender, { smtputf8: true })
  if (mailbox === undefined) throw new Failure(`${JSON.stringify(sender)} is no address (<> is the null sender)`, 2)
  return { what: { sender: `${mailbox.local}@${mailbox.domain}` }, text: `sender ${sender}` }
}

const suspend = async (o: SuspendOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const named = suspendedOf(o)
  const dryRun = o.dryRun === true
  await withQueue(o, async queue => {
    if (named === undefined) {
      const all = await queue.suspensions()
      for (const one of all) out.value(one)
      const cells = all.map(({ what, at, by, why }) => [
        'site' in what ? what.site : what.sender === '' ? '<>' : what.sender,
        span(Date.now() - at),
        by,
        why ?? '',
      ])
      if (all.length === 0) out.line('Nothing is suspended.')
      else out.table(['SUSPENDED', 'FOR', 'BY', 'WHY'], cells)
      return
    }
    const why = o.why === undefined ? {} : { why: o.why.slice(0, 500) }
    const waiting = await queue.suspend(named.what, actor(), { ...why, dryRun })
    out.value({ suspended: named.what, ...why, deliveries: waiting, dryRun })
    out.line(`${dryRun ? 'would suspend' : 'suspended'} ${named.text}: ${deliveries(waiting)} waiting`)
  })
}

const resume = async (o: SuspendOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const named = suspendedOf(o)
  if (named === undefined) throw new Failure('say which: --site or --sender', 2)
  const dryRun = o.dryRun === true
  await withQueue(o, async queue => {
    const waiting = await queue.resume(named.what, actor(), { dryRun })
    if (waiting === undefined) throw new Failure(`${named.text} is not suspended`)
    out.value({ resumed: named.what, deliveries: waiting, dryRun })
    out.line(`${dryRun ? 'would resume' : 'resumed'} ${named.text}: ${deliveries(waiting)} waiting`)
  })
}

const withChange = (command: Command, description: string): Command =>
  withState(command)
    .description(description)
    .option('--all', 'the whole queue')
    .option('--why <text>', 'a reason, kept in the history and the event')
    .option('--dry-run', 'only count')
    .addHelpText('after', `\n${filterHelp}`)

/** `posthorn queue hold` and the like. */
export const addChangeCommands = (queue: Command): void => {
  for (const [what, text] of [
    ['retry', 'try again now, also where the site is in a pause for not answering'],
    ['hold', 'keep from being tried, and from expiring'],
    ['release', 'let go of what is held'],
    ['bounce', 'return to the sender, with --why in the report; by the server, at its next start when none runs'],
    ['drop', 'remove without a report to the sender'],
  ] as const)
    withChange(queue.command(`${what} [terms...]`), text).action((terms: readonly string[], o: ChangeOptions) =>
      run({ do: what }, terms, o),
    )
  withChange(queue.command('reroute <site> [terms...]'), 'send elsewhere, such as to smtp:relay.example.org:25').action(
    (site: string, terms: readonly string[], o: ChangeOptions) => run({ do: 'reroute', site: siteOf(site) }, terms, o),
  )
  for (const [name, text, action] of [
    ['suspend', 'stop all mail for a site or from a sender; without either, what is stopped', suspend],
    ['resume', 'let a suspended site or sender go on', resume],
  ] as const) {
    const command = withState(queue.command(name))
      .description(text)
      .option('--site <site>', 'such as mx:example.org')
      .option('--sender <address>', 'such as ann@example.org; <> is the null sender')
      .option('--dry-run', 'only count')
    if (name === 'suspend') command.option('--why <text>', 'a reason, which is kept')
    command.action(action)
  }
}
