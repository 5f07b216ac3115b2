import type { Awaitable, Journal, Queue } from '@posthorn/contracts'
import { classify, failureOf, readBounce, readComplaint, readUpTo } from '@posthorn/dsn'
import type { Classifier, ReadBounce, ReadComplaint } from '@posthorn/dsn'
import { concatBody, renderHeaders } from '@posthorn/message'
import { definePlugin, slot } from '@posthorn/plugin'
import type { Message, OnEnqueue, Plugin } from '@posthorn/plugin'
import { originOf } from './bounce-origin.ts'
import type { BounceOrigin } from './bounce-origin.ts'
import type { BounceTags } from './bounce-tags.ts'
import { envidName, messageIdName, Sent } from './sent.ts'

export interface BounceReaderOptions {
  readonly journal: Journal
  readonly show: Queue['show']
  /** Ours, in trace fields. */
  readonly hostname: string
  /** Whose mail is ours, and may bounce. */
  readonly isLocalDomain: (domain: string) => boolean
  readonly tags?: BounceTags
  readonly classify?: Classifier
}

type Found =
  | { readonly bounce: ReadBounce; readonly complaint?: never }
  | { readonly complaint: ReadComplaint; readonly bounce?: never }

/** Octets of a message that are looked at: of what it returns only the header section matters. */
const LOOKED_AT = 256 * 1024
/** Of one report. */
const MOST_EVENTS = 50
/** Reports whose message is sought at the same time; of more the origin stays unknown. */
const MOST_SOUGHT = 50

const foundIn = slot<Found>('bounce')

/**
 * Reads bounces and complaints that come in and tells the journal what they are about: `bounce.received` for each recipient, `complaint.received`.
 * It changes nothing: the report goes to whoever it is for, and one that cannot be read is mail like any other.
 */
export const bounceReader = (o: BounceReaderOptions): Plugin => {
  const reader = new BounceReader(o)
  return definePlugin({
    name: 'bounce-reader',
    setup: () => ({
      stamp: (message, context) => reader.stamp(message, context),
      queued: (_, context) => reader.queued(context),
    }),
  })
}

class BounceReader {
  readonly #o: BounceReaderOptions
  readonly #sent = new Sent()
  #sought = 0

  constructor(o: BounceReaderOptions) {
    this.#o = o
  }

  stamp(message: Message, context: OnEnqueue): Awaitable<undefined> {
    if (context.origin === 'mx' && mayBeReport(message, context)) return this.#read(message, context)
    this.#remember(message, context)
    return undefined
  }

  #remember({ headers }: Message, { sender, envid, queueId }: OnEnqueue): void {
    if (sender === null || !this.#o.isLocalDomain(sender.domain)) return
    if (envid !== undefined) this.#sent.remember(envidName(envid, sender.wire), queueId)
    const id = headers.first('message-id')
    if (id !== undefined) this.#sent.remember(messageIdName(id), queueId)
  }

  async #read({ headers, body }: Message, context: OnEnqueue): Promise<undefined> {
    try {
      const bytes = await readUpTo(concatBody(renderHeaders(headers), body), LOOKED_AT, context.signal)
      const complaint = readComplaint(bytes)
      const bounce = complaint === undefined ? readBounce(bytes) : undefined
      if (complaint !== undefined) context.set(foundIn, { complaint })
      else if (bounce !== undefined) context.set(foundIn, { bounce })
    } catch (error) {
      this.#failed(error, context)
    }
  }

  queued(context: OnEnqueue): void {
    const found = context.get(foundIn)
    if (found !== undefined) void this.#tell(found, context)
  }

  /** Never rejects. */
  async #tell(found: Found, context: OnEnqueue): Promise<void> {
    let origin: BounceOrigin | undefined
    try {
      origin = await this.#originOf(found, context)
    } catch (error) {
      this.#failed(error, context)
    }
    if (found.bounce === undefined) this.#tellComplaint(found.complaint, origin, context)
    else this.#tellBounce(found.bounce, origin, context)
  }

  async #originOf({ bounce, complaint }: Found, { rcpts }: OnEnqueue): Promise<BounceOrigin | undefined> {
    if (this.#sought >= MOST_SOUGHT) return undefined
    this.#sought += 1
    const clues =
      bounce === undefined
        ? { readers: rcpts, mailFrom: complaint?.mailFrom, original: complaint?.original, toSender: false }
        : { readers: rcpts, envid: bounce.envid, original: bounce.original, toSender: true }
    try {
      return await originOf(clues, { ...this.#o, sent: this.#sent })
    } finally {
      this.#sought -= 1
    }
  }

  #tellBounce(
    { form, reportingMta, recipients }: ReadBounce,
    origin: BounceOrigin | undefined,
    context: OnEnqueue,
  ): void {
    const named = this.#o.classify ?? classify
    // That mail arrived is no bounce.
    const bad = recipients.filter(({ action }) => action === 'failed' || action === 'delayed')
    for (const recipient of bad.slice(0, MOST_EVENTS)) {
      const { finalRecipient, originalRecipient, action, status, diagnostic, remoteMta } = recipient
      const { class: cls, rule } = named(failureOf(recipient))
      const rcpt = bad.length === 1 ? origin?.recipient : undefined
      this.#o.journal.event('bounce.received', {
        ...aboutOf(origin, context),
        rcpt: rcpt ?? ofOurs(origin, [originalRecipient, finalRecipient]) ?? finalRecipient.slice(0, 320),
        action,
        enhanced: status,
        class: cls,
        rule,
        text: diagnostic?.slice(0, 300),
        remote: remoteMta?.slice(0, 255),
        reporter: reportingMta?.slice(0, 255),
        form,
      })
    }
  }

  #tellComplaint(complaint: ReadComplaint, origin: BounceOrigin | undefined, context: OnEnqueue): void {
    const { type, userAgent, recipients } = complaint
    this.#o.journal.event(
      'complaint.received',
      {
        ...aboutOf(origin, context),
        rcpt: origin?.recipient ?? ofOurs(origin, recipients) ?? recipients[0]?.slice(0, 320),
        type,
        reporter: userAgent,
      },
      'warn',
    )
  }

  #failed(error: unknown, { queueId }: OnEnqueue): void {
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#o.journal.event('error', { where: 'reading a bounce', id: queueId, cause }, 'warn')
  }
}

/** Reports have the null sender, or say that they are reports; nothing else is read. */
const mayBeReport = ({ headers }: Message, { sender }: OnEnqueue): boolean =>
  sender === null || /^multipart\/report\b/i.test(headers.first('content-type') ?? '')

const aboutOf = (
  origin: BounceOrigin | undefined,
  { queueId }: OnEnqueue,
): { readonly [k: string]: string | undefined } => ({
  id: queueId,
  about: origin?.id,
  from: origin?.sender?.wire,
  by: origin?.by ?? 'nothing',
})

/** The recipient that we know, of those that the report names; or the only one that there was. */
const ofOurs = (origin: BounceOrigin | undefined, named: readonly (string | undefined)[]): string | undefined => {
  if (origin === undefined) return undefined
  const known = named.find(address => address !== undefined && origin.recipients.includes(address.toLowerCase()))
  return known?.toLowerCase() ?? (origin.recipients.length === 1 ? origin.recipients[0] : undefined)
}
