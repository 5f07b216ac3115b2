import { createChain, definePlugin, Scope } from '@posthorn/plugin'
import type { Chain, ChainOptions, Entry, Host, Plugin, Recipient } from '@posthorn/plugin'
import type { Verdict } from '@posthorn/contracts'
import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { manualClock } from '@posthorn/testkit'
import type { ManualClock } from '@posthorn/testkit'

export const box = (text: string): Mailbox => {
  const mailbox = parseMailbox(text, { smtputf8: true })
  if (mailbox === undefined) throw new Error(`no mailbox: ${text}`)
  return mailbox
}
export const rcpt = (text: string): Recipient => ({ to: box(text) })

/** A plugin of hooks alone, typed or not. */
export const plugin = (name: string, hooks: object, more: Partial<Plugin> = {}): Plugin =>
  definePlugin({ name, setup: () => hooks, ...more })

/** A context with every field any hook could want. */
export class Everything extends Scope {
  readonly service = 'mx'
  readonly session = 's1'
  readonly ip = '192.0.2.1'
  readonly port = 50_000
  readonly helo = 'client.example'
  readonly tls = undefined
  readonly sender = box('alice@example.com')
  readonly user = undefined
  readonly smtputf8 = false
  readonly requireTls = false
  readonly accepted: readonly Recipient[] = [rcpt('bob@example.org'), rcpt('carol@example.org')]
  readonly queueId = 'q1' as never
  readonly origin = 'mx' as const
  readonly rcpts: readonly Recipient[] = []
  readonly rcpt = rcpt('bob@example.org')
  readonly site = 'mx:example.org' as never
  readonly tries = 0
  readonly size = 100
  readonly tags = []
}

export interface Bench {
  readonly chain: Chain
  readonly ctx: Everything
  readonly clock: ManualClock
  readonly verdicts: Verdict[]
  readonly errors: { plugin: string; hook: string; message: string }[]
}

/** A chain of these plugins with all that it reports. */
export const benchOf = async (
  plugins: readonly (Plugin | Entry)[],
  options: Partial<ChainOptions> = {},
): Promise<Bench> => {
  const clock = manualClock()
  const verdicts: Verdict[] = []
  const errors: Bench['errors'] = []
  const chain = await createChain(plugins, {
    host: () => ({}) as Host,
    clock,
    onVerdict: verdict => verdicts.push(verdict),
    onError: (plugin, hook, error) =>
      errors.push({ plugin, hook, message: error instanceof Error ? error.message : String(error) }),
    ...options,
  })
  return { chain, ctx: new Everything(), clock, verdicts, errors }
}
