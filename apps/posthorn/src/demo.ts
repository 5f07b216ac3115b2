import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Json, Outcome } from '@posthorn/contracts'
import { createLab, type Lab, type LabEvent } from '@posthorn/lab'
import { Failure } from './failure.ts'
import { printable, terminal, type Terminal } from './terminal.ts'

const green = 'green.example'
const blue = 'blue.example'

/** What an event of the lab is to somebody who follows the message. Undefined: not a step of the road. */
const stepOf = ({ name, fields }: LabEvent): readonly [role: string, text: string] | undefined => {
  const f = (key: string): string => textOf(fields[key])
  switch (name) {
    case 'mua.composed':
      return ['MUA', `${f('from')} writes a message of ${f('size')} octets`]
    case 'auth.ok':
      return ['MSA', `${f('user')} logs in with ${f('mechanism')} under TLS`]
    case 'message.received':
      return [f('origin') === 'submission' ? 'MSA' : 'MTA', `takes it over and keeps it safe as ${f('id')}`]
    case 'dns.mx':
      return ['DNS', `${f('domain')} has its mail at ${f('answer')}`]
    case 'delivery.relayed':
      return ['MTA', `hands it to ${f('remote')}: ${f('code')} ${f('enhanced')} ${f('text')}`]
    case 'delivery.deferred':
      return ['MTA', `can't reach the other side (${f('cause')}); the message waits`]
    case 'delivery.delivered':
      return ['MDA', `files it for ${f('rcpt')}`]
    default:
      return undefined
  }
}

const textOf = (value: Json | undefined): string =>
  typeof value === 'string' || typeof value === 'number' ? `${value}` : ''

const deliveredWithinMs = 30_000

/** Ask again every 50 ms until it is there. */
const arrives = async (lab: Lab, domain: string, user: string, marker: string): Promise<void> => {
  const end = performance.now() + deliveredWithinMs
  while (performance.now() < end) {
    if ((await lab.organisation(domain).messages(user)).some(m => m.includes(marker))) return
    await new Promise(wait => setTimeout(wait, 50))
  }
  throw new Failure(`the message to ${user}@${domain} did not arrive within ${deliveredWithinMs / 1000} s`)
}

const accepted = (outcomes: readonly Outcome[]): void => {
  const refused = outcomes.find(o => o.fate !== 'relayed' && o.fate !== 'delivered')
  if (refused !== undefined) throw new Failure(`the submission was refused: ${refused.cause}`)
}

const play = async (lab: Lab, out: Terminal, waiting: (domain: string) => Promise<void>): Promise<void> => {
  out.line(out.bold('\nOne. A message from one organisation to another.\n'))
  accepted(
    await lab.submit(
      { user: 'ann', domain: green },
      { to: [`bob@${blue}`], subject: 'Hello', text: 'The first message.' },
    ),
  )
  await arrives(lab, blue, 'bob', 'The first message.')

  out.line(out.bold(`\nTwo. ${green} goes down, and Bob answers.\n`))
  await lab.organisation(green).down()
  accepted(
    await lab.submit(
      { user: 'bob', domain: blue },
      { to: [`ann@${green}`], subject: 'Re: Hello', text: 'The answer.' },
    ),
  )
  await waiting(blue)
  out.line(out.bold(`\n${green} comes back.\n`))
  await lab.organisation(green).bringUp()
  await arrives(lab, green, 'ann', 'The answer.')
}

/** `posthorn demo`. */
const demo = async (o: { readonly state?: string; readonly json?: boolean }): Promise<void> => {
  const out = terminal(o.json === true)
  const kept = o.state === undefined ? undefined : resolve(o.state)
  const directory = kept ?? mkdtempSync(join(tmpdir(), 'posthorn-demo-'))
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  let deferred = (): void => undefined
  let lastText = ''
  const onEvent = (event: LabEvent): void => {
    const step = stepOf(event)
    if (event.name === 'delivery.deferred') deferred()
    // The DNS is asked for the receiver and then for its addresses: to somebody who follows the road that is one step.
    if (step === undefined || (event.name === 'dns.mx' && step[1] === lastText)) return
    lastText = step[1]
    out.value({ where: event.where, role: step[0], text: step[1] })
    out.line(`  ${event.where.padEnd(14)} ${out.bold(step[0].padEnd(4))} ${printable(step[1])}`)
  }
  const lab = await createLab({
    directory,
    onEvent,
    organisations: [
      { domain: green, ip: '192.0.2.10', users: { ann: 'green-secret' } },
      { domain: blue, ip: '203.0.113.20', users: { bob: 'blue-secret' } },
    ],
  })
  const isDeferred = new Promise<void>(done => (deferred = done))
  try {
    await play(lab, out, () => isDeferred)
  } finally {
    await lab.stop()
    if (kept === undefined) rmSync(directory, { recursive: true, force: true })
  }
  out.value({ ok: true, messages: 2, ...(kept === undefined ? {} : { state: kept }) })
  out.line(out.bold('\nBoth messages arrived.'))
  if (kept !== undefined)
    for (const domain of [green, blue])
      out.line(`  Maildirs of ${domain}: ${relative(process.cwd(), join(kept, domain, 'mail')) || '.'}`)
}

export const addDemoCommand = (program: Command): void => {
  program
    .command('demo')
    .description('two organisations in this process: a message and its road, then an outage and its end')
    .option('--state <dir>', 'keep the queues and Maildirs there')
    .option('--json', 'machine-readable output')
    .action(demo)
}
