import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { createChain, newSlots } from '@posthorn/plugin'
import type { Chain, Host, OnRcpt, Plugin } from '@posthorn/plugin'
import { manualClock } from '@posthorn/testkit'

/** A chain of plugins that need nothing of their host. */
export const chainOf = (...plugins: Plugin[]): Promise<Chain> =>
  createChain(plugins, { host: () => ({}) as Host, clock: manualClock() })

/** A mailbox that must be well-formed. */
export const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text, { smtputf8: true })
  if (parsed === undefined) throw new Error(`${text} is no mailbox`)
  return parsed
}

/** A client at RCPT. */
export const atRcpt = (over: Partial<OnRcpt> = {}): OnRcpt => ({
  ...newSlots(),
  service: 'mx',
  session: 's1',
  ip: '198.51.100.7',
  port: 4711,
  helo: 'client.example',
  tls: undefined,
  sender: null,
  user: undefined,
  smtputf8: false,
  requireTls: false,
  accepted: [],
  signal: new AbortController().signal,
  ...over,
})
