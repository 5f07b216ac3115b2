import { isPostmaster } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { Awaitable } from '@posthorn/contracts'
import { definePlugin, pass, permit } from '@posthorn/plugin'
import type { HookOut, OnDelivery, OnRcpt, Plugin, Recipient } from '@posthorn/plugin'
import { bounceNotOurs, bounceTooLate } from '@posthorn/reply'
import type { BounceTags, TagFound } from './bounce-tags.ts'

export interface ReversePathOptions {
  readonly tags: BounceTags
  /** `signed`: one return path for all recipients of a day; `verp`: one for each recipient of each message. */
  readonly form: 'signed' | 'verp'
  /** Mail of these domains gets tags, and tags lead to nowhere else. */
  readonly isLocalDomain: (domain: string) => boolean
  /**
   * Which mail from the null sender is refused: none, that to tags which are forged or too old, or also that to addresses of ours without
   * a tag, which no mail of ours can have brought about when all of it leaves from here.
   */
  readonly refuse: 'nothing' | 'forged' | 'untagged'
}

/**
 * Gives mail that leaves a return path which only we can have written, and takes bounces to it: they go to the sender. Tags lead only to
 * addresses at domains of ours, so that this relays for nobody. Replies of people to a tagged address arrive as long as its signature is
 * good, however old.
 */
export const reversePath = (o: ReversePathOptions): Plugin => {
  const rule = new ReversePath(o)
  return definePlugin({
    name: 'reverse-path',
    setup: () => ({
      rcpt: { order: 'early', run: ({ to }, client) => rule.rcpt(to, client) },
      resolve: { order: 'early', run: ({ to }) => rule.resolve(to) },
      returnPath: (recipient, delivery) => rule.returnPath(recipient, delivery),
    }),
  })
}

/** Sites from which mail leaves for somebody else's server. */
const LEAVES = /^(?:mx|smtp):/

class ReversePath {
  readonly #o: ReversePathOptions

  constructor(o: ReversePathOptions) {
    this.#o = o
  }

  returnPath({ to }: Recipient, { sender, site, queueId }: OnDelivery): Awaitable<Mailbox | undefined> {
    const { tags, form, isLocalDomain } = this.#o
    if (sender === null || !LEAVES.test(site) || !isLocalDomain(sender.domain) || isTagged(sender)) return undefined
    return tags.tag(sender, form === 'verp' ? { id: queueId, to } : undefined)
  }

  rcpt(to: Mailbox, client: OnRcpt): Awaitable<HookOut<'rcpt'>> {
    const found = this.#o.tags.read(to)
    return found instanceof Promise ? found.then(tag => this.#judge(to, client, tag)) : this.#judge(to, client, found)
  }

  #judge(to: Mailbox, { sender }: OnRcpt, tag: TagFound | undefined): HookOut<'rcpt'> {
    const { refuse } = this.#o
    const isBounce = sender === null
    if (tag === undefined) return isBounce && refuse === 'untagged' && this.#sends(to) ? bounceNotOurs : pass
    if (tag.is === 'good') return this.#leadsHome(tag.tagged.sender) ? permit : pass
    if (!isBounce || refuse === 'nothing') return pass
    return tag.is === 'forged' ? bounceNotOurs : bounceTooLate
  }

  /** Mail of this address would have left with a tag. Postmaster takes everything (RFC 5321 §4.5.1). */
  #sends(to: Mailbox): boolean {
    return this.#o.isLocalDomain(to.domain) && !isPostmaster(to)
  }

  #leadsHome(sender: Mailbox): boolean {
    return this.#o.isLocalDomain(sender.domain)
  }

  resolve(to: Mailbox): Awaitable<HookOut<'resolve'>> {
    const found = this.#o.tags.read(to)
    return found instanceof Promise ? found.then(tag => this.#recover(tag)) : this.#recover(found)
  }

  #recover(tag: TagFound | undefined): HookOut<'resolve'> {
    if (tag === undefined || tag.is === 'forged' || !this.#leadsHome(tag.tagged.sender)) return undefined
    return { expand: [{ to: tag.tagged.sender }] }
  }
}

const isTagged = ({ local }: Mailbox): boolean => /^prvs=/i.test(local)
