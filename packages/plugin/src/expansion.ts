import { mailboxKey } from '@posthorn/address'
import { localError, noSuchMailbox, policyFailure } from '@posthorn/reply'
import type { Mailbox } from '@posthorn/address'
import type { Awaitable, Destination, ExpandedRecipient } from '@posthorn/contracts'
import { isPending } from './awaitable.ts'
import type { Chain, Claimed } from './chain.ts'
import type { OnRcpt, Recipient, Resolved } from './hooks.ts'
import { isStop, stopReply } from './verdict.ts'
import type { Stop } from './verdict.ts'

/** How far the expansion of one recipient goes. */
export interface ExpansionTerms {
  /** How often addresses may expand to addresses. */
  readonly depth: number
  /** Addresses that it may become. */
  readonly addresses: number
  /**
   * What an address is that is reached by way of itself. `fail`: the operator's fault, and the client tries again while it is mended.
   * `skip`: left out, where nobody could be told.
   */
  readonly loops: 'fail' | 'skip'
}

/** Where a recipient's mail goes; or why it cannot be taken, in a reply and, where the reply hides it, in words. */
export type Expanded =
  | {
      readonly ok: true
      /** What was asked of the recipient itself, its return path too, stays with it: see `AcceptedRecipient`. */
      readonly goesTo: readonly ExpandedRecipient[]
      /** Members that do not exist and were left out. */
      readonly missing: readonly Mailbox[]
    }
  | {
      readonly ok: false
      /** The recipient, or the member that is to blame. */
      readonly to: Mailbox
      readonly stop: Stop
      readonly why: string | undefined
    }

type Answer = Claimed<'resolve'>
type Members = Extract<Resolved, { readonly expand: unknown }>

/** An address whose destination is sought, and through which others it came. */
interface Sought {
  readonly recipient: Recipient
  readonly from: Sought | undefined
  readonly depth: number
  readonly returnPath: Mailbox | null | undefined
}

const nobody: readonly Mailbox[] = Object.freeze([])

const fail = (to: Mailbox, stop: Stop, why?: string): Expanded => ({ ok: false, to, stop, why })

const isDestination = (answer: Answer): answer is Destination =>
  answer !== undefined && ('mailbox' in answer || 'transport' in answer)

/**
 * Asks a chain what an address is, and what the addresses are that it expands to, until all are mailboxes or transports. An address
 * reached twice counts once; a member that does not exist is left out while others remain; one that cannot be told now, and what
 * is over the bounds, fails the recipient for now. Synchronous when the plugins are; never throws, never rejects.
 */
export class Expander {
  readonly #chain: Chain
  readonly #terms: ExpansionTerms

  constructor(chain: Chain, terms: ExpansionTerms) {
    this.#chain = chain
    this.#terms = terms
  }

  expand(recipient: Recipient, ctx: OnRcpt): Awaitable<Expanded> {
    const answer = this.#chain.claim('resolve', recipient, ctx)
    return isPending(answer)
      ? answer.then(late => this.#answered(recipient, late, ctx))
      : this.#answered(recipient, answer, ctx)
  }

  /** Nearly every recipient is a mailbox: no lists are made for it. */
  #answered(recipient: Recipient, answer: Answer, ctx: OnRcpt): Awaitable<Expanded> {
    return isDestination(answer)
      ? { ok: true, goesTo: [{ to: recipient.to, destination: answer }], missing: nobody }
      : new Expansion(this.#chain, this.#terms, ctx).begin(recipient, answer)
  }
}

/** The addresses of one recipient on their way to their destinations. */
class Expansion {
  readonly #chain: Chain
  readonly #terms: ExpansionTerms
  readonly #ctx: OnRcpt
  /** Found and not yet asked about; those nearer to the recipient come first. */
  readonly #unresolved: Sought[] = []
  readonly #seen = new Set<string>()
  readonly #found: ExpandedRecipient[] = []
  readonly #missing: Mailbox[] = []

  constructor(chain: Chain, terms: ExpansionTerms, ctx: OnRcpt) {
    this.#chain = chain
    this.#terms = terms
    this.#ctx = ctx
  }

  begin(recipient: Recipient, answer: Answer): Awaitable<Expanded> {
    const named: Sought = { recipient, from: undefined, depth: 0, returnPath: undefined }
    return this.#take(named, answer) ?? this.#goOn(recipient.to)
  }

  #goOn(to: Mailbox): Awaitable<Expanded> {
    for (let sought = this.#unresolved.shift(); sought !== undefined; sought = this.#unresolved.shift()) {
      const current = sought
      const answer = this.#chain.claim('resolve', current.recipient, this.#ctx)
      if (isPending(answer)) return answer.then(late => this.#take(current, late) ?? this.#goOn(to))
      const failed = this.#take(current, answer)
      if (failed !== undefined) return failed
    }
    if (this.#found.length === 0) return fail(to, noSuchMailbox)
    return { ok: true, goesTo: this.#found, missing: this.#missing }
  }

  /** How it ends with this answer, if it does. */
  #take(sought: Sought, answer: Answer): Expanded | undefined {
    if (answer === undefined) return this.#refused(sought, noSuchMailbox)
    if ('failed' in answer) return fail(sought.recipient.to, policyFailure, `resolve failed in ${answer.plugin}`)
    if (isStop(answer)) return this.#refused(sought, answer)
    if ('expand' in answer) return this.#expand(sought, answer)
    this.#found.push(member(sought, answer))
    return undefined
  }

  #refused(sought: Sought, stop: Stop): Expanded | undefined {
    const { to } = sought.recipient
    if (sought.from === undefined || stopReply(stop).class === 4) return fail(to, stop)
    this.#missing.push(to)
    return undefined
  }

  #expand(sought: Sought, { expand, returnPath, keep }: Members): Expanded | undefined {
    const depth = sought.depth + 1
    const { to } = sought.recipient
    if (keep !== undefined) this.#found.push(member(sought, { mailbox: keep }))
    if (depth > this.#terms.depth) return fail(to, localError, 'addresses expand too deep')
    for (const recipient of expand) {
      const key = mailboxKey(recipient.to)
      if (hasAncestor(sought, key)) {
        if (this.#terms.loops === 'skip') continue
        return fail(to, localError, `${recipient.to.wire} expands to itself`)
      }
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      if (this.#seen.size > this.#terms.addresses) return fail(to, localError, 'addresses expand to too many')
      const own = recipient.returnPath !== undefined ? recipient.returnPath : returnPath
      this.#unresolved.push({ recipient, from: sought, depth, returnPath: own !== undefined ? own : sought.returnPath })
    }
    return undefined
  }
}

const hasAncestor = (sought: Sought, key: string): boolean => {
  for (let at: Sought | undefined = sought; at !== undefined; at = at.from)
    if (mailboxKey(at.recipient.to) === key) return true
  return false
}

/** What a plugin asked of a member goes with it; what was asked of the recipient itself stays with the recipient. */
const member = ({ recipient, from, returnPath }: Sought, destination: Destination): ExpandedRecipient => ({
  to: recipient.to,
  destination,
  ...(returnPath !== undefined && { returnPath }),
  ...(from !== undefined && recipient.notify !== undefined && { notify: recipient.notify }),
})
