import type { Mailbox } from '@posthorn/address'
import type { AcceptedRecipient, Origin } from '@posthorn/contracts'
import { Expander, stopReply } from '@posthorn/plugin'
import type { Chain, Expanded, ExpansionTerms, Recipient } from '@posthorn/plugin'
import { InsideContext } from './context.ts'

/** Recipients with where their mail goes; or which of it cannot be taken, why, and whether that is for good. */
export type ResolvedRecipients =
  | { readonly ok: true; readonly recipients: readonly AcceptedRecipient[] }
  | { readonly ok: false; readonly to: Mailbox; readonly why: string; readonly permanent: boolean }

/** A loop is left out: there is no client to whom trying again could be left. */
const terms: ExpansionTerms = { depth: 10, addresses: 1000, loops: 'skip' }

/** Whose mail it is that is to be resolved, and for what it is written. */
export interface ResolveFor {
  readonly chain: Chain
  readonly hostname: string
  readonly origin: Origin
  readonly sender: Mailbox | null
  readonly user?: string | undefined
  /** For the events of plugins: a session or a queue id. */
  readonly session: string
}

/**
 * Ask the chain where mail for recipients goes that no client has named: those that a plugin adds or injects, and whoever gets a
 * report. Expansions of each are followed, ten deep and to a thousand addresses at most. Never rejects.
 */
export const resolveRecipients = async (
  recipients: readonly Recipient[],
  o: ResolveFor,
): Promise<ResolvedRecipients> => {
  const ctx = new InsideContext({ ...o, user: o.user })
  const expander = new Expander(o.chain, terms)
  const resolved: AcceptedRecipient[] = []
  for (const recipient of recipients) {
    const expanded = await expander.expand(recipient, ctx)
    if (!expanded.ok) return unresolved(expanded)
    resolved.push({ ...recipient, goesTo: expanded.goesTo })
  }
  return { ok: true, recipients: resolved }
}

const unresolved = ({ to, stop, why }: Extract<Expanded, { readonly ok: false }>): ResolvedRecipients => {
  const reply = stopReply(stop)
  return { ok: false, to, why: why ?? reply.lines.join(' '), permanent: reply.class === 5 }
}
