import { mailboxKey } from '@posthorn/address'
import { localError, noSuchMailbox, policyFailure } from '@posthorn/reply'
import { isStop, stopReply } from '@posthorn/plugin'
import type { Mailbox } from '@posthorn/address'
import type { Awaitable, ExpandedRecipient, Notify } from '@posthorn/contracts'
import type { Chain, Claimed, Recipient, Resolved, Stop } from '@posthorn/plugin'
import { isPending } from './awaitable.ts'
import type { Envelope } from './envelope.ts'
import type { Limits } from './limits.ts'

/** Where a recipient's mail goes; or why it cannot be taken, in a reply and, where the reply hides it, in words. */
export type Destinations =
  | { readonly ok: true; readonly goesTo: readonly ExpandedRecipient[] }
  | { readonly ok: false; readonly stop: Stop; readonly why?: string }

/** An address whose destination is sought, and through which others it came. */
interface Sought {
  readonly recipient: Recipient
  readonly from: Sought | undefined
  readonly depth: number
  readonly returnPath: Mailbox | null | undefined
}

type Answer = Claimed<'resolve'>
type Members = Extract<Resolved, { readonly expand: unknown }>

const hasAncestor = (sought: Sought, key: string): boolean => {
  for (let at: Sought | undefined = sought; at !== undefined; at = at.from)
    if (mailboxKey(at.recipient.to) === key) return true
  return false
}

const fail = (stop: Stop, why?: string): Destinations => ({ ok: false, stop, ...(why === undefined ? {} : { why }) })

/**
 * Asks what an address is, and what the addresses are that it expands to, until all are mailboxes or transports. Bounded in depth
 * and number; an address reached twice counts once. A loop or an excess is our operator's fault, so the client is told to try
 * again (451) and nothing is lost; a member that does not exist is left out while others remain.
 */
export class Expansion {
  readonly #chain: Chain
  readonly #envelope: Envelope
  readonly #limits: Limits
  readonly #todo: Sought[]
  readonly #seen = new Set<string>()
  readonly #found: ExpandedRecipient[] = []
  /** Members that were left out. */
  readonly missing: string[] = []

  constructor(chain: Chain, envelope: Envelope, limits: Limits, recipient: Recipient) {
    this.#chain = chain
    this.#envelope = envelope
    this.#limits = limits
    this.#todo = [{ recipient, from: undefined, depth: 0, returnPath: recipient.returnPath }]
  }

  run(): Awaitable<Destinations> {
    for (let sought = this.#todo.shift(); sought !== undefined; sought = this.#todo.shift()) {
      const current = sought
      const answer = this.#chain.claim('resolve', current.recipient, this.#envelope)
      if (isPending(answer)) return answer.then(late => this.#take(current, late) ?? this.run())
      const failed = this.#take(current, answer)
      if (failed !== undefined) return failed
    }
    return this.#found.length === 0 ? fail(noSuchMailbox) : { ok: true, goesTo: this.#found }
  }

  #take(sought: Sought, answer: Answer): Destinations | undefined {
    if (answer === undefined) return this.#refused(sought, noSuchMailbox)
    if ('failed' in answer) return fail(policyFailure, `resolve failed in ${answer.plugin}`)
    if (isStop(answer)) return this.#refused(sought, answer)
    if ('expand' in answer) return this.#expand(sought, answer)
    const { to, notify } = sought.recipient
    this.#found.push({ to, destination: answer, ...asked(notify, sought) })
    return undefined
  }
  #refused(sought: Sought, stop: Stop): Destinations | undefined {
    if (sought.from === undefined || stopReply(stop).class === 4) return fail(stop)
    this.missing.push(sought.recipient.to.wire)
    return undefined
  }
  #expand(sought: Sought, { expand, returnPath, keep }: Members): Destinations | undefined {
    const depth = sought.depth + 1
    const { to, notify } = sought.recipient
    if (keep !== undefined) this.#found.push({ to, destination: { mailbox: keep }, ...asked(notify, sought) })
    if (depth > this.#limits.expansionDepth) return fail(localError, 'addresses expand too deep')
    for (const recipient of expand) {
      const key = mailboxKey(recipient.to)
      if (hasAncestor(sought, key)) return fail(localError, `${recipient.to.wire} expands to itself`)
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      if (this.#seen.size > this.#limits.expansions) return fail(localError, 'addresses expand to too many')
      const own = recipient.returnPath !== undefined ? recipient.returnPath : returnPath
      this.#todo.push({ recipient, from: sought, depth, returnPath: own !== undefined ? own : sought.returnPath })
    }
    return undefined
  }
}

/** What a member asks of its delivery beyond the address; the recipient's own NOTIFY stays with the recipient. */
const asked = (notify: Notify | undefined, sought: Sought): Partial<ExpandedRecipient> => ({
  ...(sought.returnPath === undefined ? {} : { returnPath: sought.returnPath }),
  ...(notify === undefined || sought.from === undefined ? {} : { notify }),
})
