import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { Awaitable, Clock, Json, KeyValue, QueueId } from '@posthorn/contracts'

export interface BounceTagsOptions {
  /** Octets or text; the first signs, all verify. */
  readonly keys: readonly string[]
  /** How long a tag is good, in ms; whole days are counted. */
  readonly lifetimeMs: number
  /** Of the tagged addresses, instead of the sender's own. */
  readonly domain?: string
  /** For addresses that would be too long with a tag. */
  readonly kv: KeyValue
  readonly clock: Clock
}

/** What a tag is about. */
export interface Tagged {
  readonly sender: Mailbox
  /** With a tag for one recipient: its message. */
  readonly id?: QueueId
  /** With a tag for one recipient: which, as `markOf` has it. */
  readonly mark?: string
}

/** A tagged address as it was found. `forged`: nobody here signed it. */
export type TagFound = { readonly is: 'good' | 'expired'; readonly tagged: Tagged } | { readonly is: 'forged' }

const DAY = 86_400_000
/** RFC 5321 §4.5.3.1.1 */
const LONGEST_LOCAL = 64
/** Senders whose long address is known to be kept already. */
const MOST_KEPT = 10_000

/**
 * `prvs=` kind day mac `=` payload. The kinds: 0 a local part; 1 message, recipient and local part; 2 and 3 the same with a domain; 4 a name
 * under which it is kept.
 */
const SHAPE = /^prvs=([0-4])(\d{3})([0-9a-f]{10})=(.+)$/i
const KEPT = '4'
/** What stands in an address without quotes and means nothing to a relay. */
const PLAIN = /^[\w#$&'*+/=?^`{|}~-]+(?:\.[\w#$&'*+/=?^`{|}~-]+)*$/

const mailboxOf = (text: string): Mailbox | undefined => parseMailbox(text, { smtputf8: true })
const dayOf = (ms: number): number => Math.floor(ms / DAY)

interface Shape {
  readonly kind: string
  readonly day: string
  readonly mac: string
  readonly payload: string
}

/**
 * Return paths that only we can have written: `prvs=` and a tag before the sender's own local part, as in BATV. The tag has the day on which
 * it ends and an HMAC over all of it, without regard to case, since servers on the way may change that. With a message and recipient in it, it
 * is one return path for each recipient (VERP). What would be longer than 64 octets, or needs quotes, is kept in the store under a name.
 */
export class BounceTags {
  readonly #o: BounceTagsOptions
  readonly #days: number
  readonly #kept = new Map<string, number>()

  /** Throws RangeError without a key. */
  constructor(o: BounceTagsOptions) {
    if (o.keys.length === 0) throw new RangeError('tags need a key')
    this.#o = o
    this.#days = Math.max(1, Math.ceil(o.lifetimeMs / DAY))
  }

  /** The domain of all tagged addresses, where there is one. */
  get domain(): string | undefined {
    return this.#o.domain
  }

  /** The return path of what `sender` sends now; with a delivery, of what it sends to that recipient. Rejects with StoreError. */
  tag(sender: Mailbox, delivery?: { readonly id: QueueId; readonly to: Mailbox }): Awaitable<Mailbox> {
    const domain = this.#o.domain ?? sender.domain
    const mark = delivery === undefined ? '' : `${delivery.id}.${this.markOf(delivery.id, delivery.to)}`
    const elsewhere = domain !== sender.domain
    const author = elsewhere ? `${sender.local}=${sender.domain}` : sender.local
    const payload = mark === '' ? author : `${mark}=${author}`
    const local = this.#signed(String((mark === '' ? 0 : 1) + (elsewhere ? 2 : 0)), payload, domain)
    if (PLAIN.test(sender.local) && local.length <= LONGEST_LOCAL) return this.#address(local, domain)
    const content = mark === '' ? { sender: sender.wire } : { sender: sender.wire, mark }
    return this.#keep(content, domain)
  }

  /** What this address is; undefined when it has no tag. */
  read(address: Mailbox): Awaitable<TagFound | undefined> {
    const shape = shapeOf(address)
    if (shape === undefined) return undefined
    if (!this.#isSigned(shape, address.domain)) return { is: 'forged' }
    const is = this.#isOver(shape) ? 'expired' : 'good'
    if (shape.kind !== KEPT) return found(is, taggedBy(shape.kind, shape.payload, address.domain))
    const kept = this.#o.kv.get(shape.payload.toLowerCase())
    return kept instanceof Promise ? kept.then(content => found(is, keptBy(content))) : found(is, keptBy(kept))
  }

  /** Names one recipient of a message by six hexadecimal digits. */
  markOf(id: string, to: Mailbox): string {
    return this.#mac(this.#o.keys[0] ?? '', `${id} ${to.wire}`).slice(0, 6)
  }

  /** The same with whatever key was used. */
  isMarkOf(mark: string, id: string, address: string): boolean {
    return this.#o.keys.some(key => this.#mac(key, `${id} ${address}`).slice(0, 6) === mark.toLowerCase())
  }

  #signed(kind: string, payload: string, domain: string): string {
    const day = String((dayOf(this.#o.clock.wall()) + this.#days) % 1000).padStart(3, '0')
    return `prvs=${kind}${day}${this.#mac(this.#o.keys[0] ?? '', macText({ kind, day, payload }, domain))}=${payload}`
  }

  #isSigned(shape: Shape, domain: string): boolean {
    const given = Buffer.from(shape.mac.toLowerCase())
    return this.#o.keys.some(key => timingSafeEqual(Buffer.from(this.#mac(key, macText(shape, domain))), given))
  }

  #isOver({ day }: Shape): boolean {
    const left = (Number(day) - (dayOf(this.#o.clock.wall()) % 1000) + 1000) % 1000
    return left > this.#days
  }

  #mac(key: string, text: string): string {
    return createHmac('sha256', key).update(text.toLowerCase()).digest('hex').slice(0, 10)
  }

  #address(local: string, domain: string): Mailbox {
    const address = mailboxOf(`${local}@${domain}`)
    if (address === undefined) throw new RangeError(`${local}@${domain} is no address`)
    return address
  }

  #keep(content: { readonly [k: string]: string }, domain: string): Awaitable<Mailbox> {
    const name = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 24)
    const address = this.#address(this.#signed(KEPT, name, domain), domain)
    const today = dayOf(this.#o.clock.wall())
    if (this.#kept.get(name) === today) return address
    // As long as the tag, and the day on which it was made.
    const stored = this.#o.kv.set(name, content, (this.#days + 1) * DAY)
    const noted = (): Mailbox => {
      if (this.#kept.size >= MOST_KEPT) this.#kept.clear()
      this.#kept.set(name, today)
      return address
    }
    return stored instanceof Promise ? stored.then(noted) : noted()
  }
}

const macText = ({ kind, day, payload }: Omit<Shape, 'mac'>, domain: string): string =>
  `${kind}${day}${payload}@${domain}`

/** The parts of an address that looks tagged. */
const shapeOf = ({ local }: Mailbox): Shape | undefined => {
  const [, kind, day, mac, payload] = SHAPE.exec(local) ?? []
  if (kind === undefined || day === undefined || mac === undefined || payload === undefined) return undefined
  return { kind, day, mac, payload }
}

const found = (is: 'good' | 'expired', tagged: Tagged | undefined): TagFound =>
  tagged === undefined ? { is: 'forged' } : { is, tagged }

/** A domain stands after the last equals sign: it has none itself. */
const withDomain = (author: string): string => {
  const at = author.lastIndexOf('=')
  return `${author.slice(0, at)}@${author.slice(at + 1)}`
}

const withMark = (sender: Mailbox | undefined, marked: string | undefined): Tagged | undefined => {
  if (sender === undefined || marked === undefined) return sender && { sender }
  const [id, mark] = marked.split('.')
  return id === undefined || mark === undefined ? undefined : { sender, id: id as QueueId, mark }
}

const taggedBy = (kind: string, payload: string, domain: string): Tagged | undefined => {
  const isMarked = kind === '1' || kind === '3'
  const at = isMarked ? payload.indexOf('=') : -1
  const author = payload.slice(at + 1)
  const sender = mailboxOf(kind === '2' || kind === '3' ? withDomain(author) : `${author}@${domain}`)
  return withMark(sender, isMarked ? payload.slice(0, Math.max(0, at)) : undefined)
}

const keptBy = (content: Json | undefined): Tagged | undefined => {
  if (typeof content !== 'object' || content === null || !('sender' in content)) return undefined
  const { sender, mark } = content as { readonly sender?: Json; readonly mark?: Json }
  return typeof sender === 'string'
    ? withMark(mailboxOf(sender), typeof mark === 'string' ? mark : undefined)
    : undefined
}
