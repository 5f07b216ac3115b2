import { limitTexts, preflight } from '@posthorn/stack'
import { classify, type ClassifyOptions } from './classify.ts'
import { Failure } from './failure.ts'
import { loadSettings } from './settings.ts'
import type { StateOptions } from './state-option.ts'
import { octets, printable, span, terminal } from './terminal.ts'

const warnings = (ages: readonly number[]): string =>
  ages.length === 0 ? 'no warning' : `a warning after ${ages.map(span).join(' and ')}`

/** `posthorn check`: refuse a wrong configuration, or say in plain words what a right one will do. */
export const check = async (o: StateOptions & ClassifyOptions): Promise<void> => {
  const { config: c, state, development } = await loadSettings(o)
  if (o.classify !== undefined) return classify(c, { ...o, classify: o.classify })
  if (o.from !== undefined) throw new Failure('--from goes with --classify', 2)
  const problems = await preflight(c, state)
  const out = terminal(o.json === true)
  out.value({
    ok: true,
    problems,
    development,
    state,
    config: { ...c, plugins: c.plugins.map(p => ('use' in p ? p.use.name : p.name)) },
  })
  const say = (what: string, text: string): void => out.line(`  ${what.padEnd(14)} ${text}`)
  out.line(out.bold(development ? 'Development mode: no configuration file given.' : 'The configuration is right.'))
  say('hostname', c.hostname)
  say('state', state)
  if (c.queue !== 'embedded') say('queue', 'in PostgreSQL, shared with the other nodes')
  if (c.workers > 1) say('processes', `one for the queue, and ${c.workers} workers`)
  for (const [name, l] of Object.entries(c.listeners))
    say(name, l === false ? 'off' : 'path' in l ? l.path : `${l.host}:${l.port}`)
  say('domains', c.domains.join(', ') || 'none: nothing is delivered here')
  say(
    'local mail',
    c.deliver === 'maildir'
      ? 'into Maildirs'
      : `to ${c.deliver.lmtp.host}:${c.deliver.lmtp.port} over LMTP, recipients ${c.deliver.recipients}`,
  )
  say(
    'other mail',
    c.outbound === 'mx'
      ? 'out, by MX'
      : c.outbound === 'trap'
        ? 'into the trap, none leaves'
        : `to the smarthost ${c.outbound.smarthost.host}:${c.outbound.smarthost.port}`,
  )
  say(
    'who may relay',
    c.trusted.length === 0 ? 'users who logged in' : `users who logged in, and ${c.trusted.join(', ')} without`,
  )
  say('certificate', c.tls === undefined ? 'self-signed' : c.tls.map(({ cert }) => cert).join(', '))
  say(
    'limits',
    `${octets(c.limits.messageSize)} a message, ${c.limits.recipients} recipients, ${c.limits.connections} connections`,
  )
  say(
    'retries',
    `first after ${span(c.retry.first)}, then ever later up to ${span(c.retry.most)}; ${warnings(c.retry.warn)}, returned after ${span(c.retry.expire)}`,
  )
  for (const [i, text] of limitTexts(c).entries()) say(i === 0 ? 'receivers' : '', text)
  say('plugins', c.plugins.map(p => ('use' in p ? p.use.name : p.name)).join(', ') || 'none')
  for (const [i, problem] of problems.entries()) say(i === 0 ? 'look at' : '', printable(problem))
}
