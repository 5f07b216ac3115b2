import { mailboxKey } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { ExpandedRecipient, Origin } from '@posthorn/contracts'
import { isStop, stopReply } from '@posthorn/plugin'
import type { Chain, OnRcpt, Recipient, Resolved } from '@posthorn/plugin'
import { InsideContext } from './context.ts'

/** Where mail for some recipients goes; or whose it is not, why, and whether that is for good. */
export type ResolvedRecipients =
  | { readonly ok: true; readonly goesTo: readonly ExpandedRecipient[] }
  | { readonly ok: false; readonly to: Mailbox; readonly why: string; readonly permanent: boolean }

const DEEPEST = 10
const MOST = 1000

/** A recipient sought, with what it inherits from those it came through. */
interface Sought {
  readonly recipient: Recipient
  readonly depth: number
  readonly returnPath: Mailbox | null | undefined
}

class Search {
  readonly #chain: Chain
  readonly #ctx: OnRcpt
  readonly #seen = new Set<string>()
  readonly #todo: Sought[]
  readonly #found: ExpandedRecipient[] = []

  constructor(chain: Chain, ctx: OnRcpt, recipients: readonly Recipient[]) {
    this.#chain = chain
    this.#ctx = ctx
    this.#todo = recipients.map(recipient => ({ recipient, depth: 0, returnPath: recipient.returnPath }))
  }

  async run(): Promise<ResolvedRecipients> {
    for (let sought = this.#todo.shift(); sought !== undefined; sought = this.#todo.shift()) {
      const key = mailboxKey(sought.recipient.to)
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      const failed = await this.#ask(sought)
      if (failed !== undefined) return failed
    }
    return { ok: true, goesTo: this.#found }
  }

  async #ask(sought: Sought): Promise<ResolvedRecipients | undefined> {
    const { to, notify } = sought.recipient
    const answer = await this.#chain.claim('resolve', sought.recipient, this.#ctx)
    if (answer === undefined) return this.#missing(sought, { why: 'no such mailbox', permanent: true })
    if ('failed' in answer) return { ok: false, to, why: `resolve failed in ${answer.plugin}`, permanent: false }
    if (isStop(answer)) {
      const { class: cls, lines } = stopReply(answer)
      return this.#missing(sought, { why: lines.join(' '), permanent: cls === 5 })
    }
    if ('expand' in answer) return this.#expand(sought, answer)
    this.#found.push({
      to,
      destination: answer,
      ...inherited(sought.returnPath),
      ...(notify !== undefined && { notify }),
    })
    return undefined
  }

  #expand(sought: Sought, answer: Extract<Resolved, { readonly expand: unknown }>): ResolvedRecipients | undefined {
    const { to, notify } = sought.recipient
    const depth = sought.depth + 1
    if (depth > DEEPEST || this.#todo.length + answer.expand.length > MOST)
      return { ok: false, to, why: 'expands without end', permanent: false }
    if (answer.keep !== undefined)
      this.#found.push({
        to,
        destination: { mailbox: answer.keep },
        ...inherited(sought.returnPath),
        // What was asked of the recipient that was named is for all members, and not this one's own.
        ...(notify !== undefined && sought.depth > 0 && { notify }),
      })
    for (const recipient of answer.expand) {
      const own = recipient.returnPath !== undefined ? recipient.returnPath : answer.returnPath
      this.#todo.push({ recipient, depth, returnPath: own !== undefined ? own : sought.returnPath })
    }
    return undefined
  }

  /** A member of an expansion that does not exist is left out; a recipient that was named is not. */
  #missing(sought: Sought, o: { readonly why: string; readonly permanent: boolean }): ResolvedRecipients | undefined {
    if (sought.depth > 0 && o.permanent) return undefined
    return { ok: false, to: sought.recipient.to, ...o }
  }
}

const inherited = (returnPath: Mailbox | null | undefined): { readonly returnPath?: Mailbox | null } =>
  returnPath === undefined ? {} : { returnPath }

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
 * report. Expansions are followed, ten deep and to a thousand at most. Never rejects.
 */
export const resolveRecipients = async (
  recipients: readonly Recipient[],
  o: ResolveFor,
): Promise<ResolvedRecipients> => {
  const ctx = new InsideContext({ ...o, user: o.user })
  const result = await new Search(o.chain, ctx, recipients).run()
  const [first] = recipients
  if (result.ok && result.goesTo.length === 0 && first !== undefined)
    return { ok: false, to: first.to, why: 'nobody is left of it', permanent: true }
  return result
}
