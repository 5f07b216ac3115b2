import type { MimeEntity } from './mime-entity.ts'
import type { MimeVisitor } from './mime-walker.ts'

/** How the content of an entity leaves, as its Content-Transfer-Encoding says. */
export type NewEncoding = '7bit' | '8bit' | 'quoted-printable' | 'base64'

/** What a message may be turned into. */
export interface ConversionGoal {
  /** What the next hop takes. */
  readonly to: '7bit' | '8bit'
  /** The content may hold anything (RFC 3030 §3): NUL, bare CR and LF, lines of any length. */
  readonly binary: boolean
}

const CR = 13
const LF = 10

/** RFC 5321 §4.5.3.1.6, without the CR LF. */
const LONGEST_LINE = 998

const signedTypes: ReadonlySet<string> = new Set([
  'multipart/signed',
  'multipart/encrypted',
  'application/pkcs7-mime',
  'application/x-pkcs7-mime',
  'application/pgp-signature',
  'application/pgp-encrypted',
])
const signatureFields: readonly string[] = ['dkim-signature', 'domainkey-signature', 'arc-message-signature']
const pgpArmour: Uint8Array = Uint8Array.from('-----BEGIN PGP', c => c.charCodeAt(0))

/** RFC 6532 §3.7 and RFC 6533 §6 let these be encoded; no other message type may be (RFC 2046 §5.2). */
const encodableMessages: ReadonlySet<string> = new Set([
  'message/global',
  'message/global-headers',
  'message/global-delivery-status',
  'message/global-disposition-notification',
])

/** Octets by which it is decided how a leaf leaves. */
class Count {
  octets = 0
  eight = 0
  /** What no line of text may hold. */
  binary = false
  #line = 0
  #afterCr = false

  add(bytes: Uint8Array): void {
    this.octets += bytes.length
    for (const octet of bytes) {
      if (octet > 127) this.eight += 1
      if (octet === 0 || (octet === LF) !== this.#afterCr) this.binary = true
      this.#afterCr = octet === CR
      this.#line = octet === LF ? 0 : octet === CR ? this.#line : this.#line + 1
      if (this.#line > LONGEST_LINE) this.binary = true
    }
  }
  ends(): void {
    if (this.#afterCr) this.binary = true
  }
}

/** Looks at a whole message once and decides for each entity how it leaves. */
export class ConversionPlan implements MimeVisitor {
  /** By the index of the entity; those that stay as they are are not in it. */
  readonly encodings: Map<number, NewEncoding> = new Map()
  /** Parts whose content is encoded. */
  encoded = 0
  /** A signature covers the content, as far as can be seen. */
  signed = false
  /** Why it cannot be done. */
  fault: string | undefined
  readonly #goal: ConversionGoal
  #leaf: MimeEntity | undefined
  #count = new Count()

  constructor(goal: ConversionGoal) {
    this.#goal = goal
  }

  header(block: Uint8Array, entity: MimeEntity): void {
    this.finish()
    if (this.#goal.to === '7bit' && block.some(octet => octet > 127)) this.fault ??= 'a header is 8bit'
    if (signedTypes.has(entity.type)) this.signed = true
    if (entity.index === 0 && signatureFields.some(name => entity.headers.count(name) > 0)) this.signed = true
    if (entity.kind === 'leaf') this.#leaf = entity
    else this.#relabel(entity)
  }
  content(bytes: Uint8Array, first: boolean): void {
    this.#count.add(bytes)
    if (first && bytes[0] === pgpArmour[0] && pgpArmour.every((octet, i) => bytes[i] === octet)) this.signed = true
  }
  between(bytes: Uint8Array): void {
    if (this.#goal.to === '7bit' && bytes.some(octet => octet > 127)) this.fault ??= 'it is 8bit between its parts'
    // The delimiter begins with the line end of the content.
    this.finish()
  }
  /** The content of the last leaf is over. */
  finish(): void {
    const leaf = this.#leaf
    const count = this.#count
    this.#leaf = undefined
    this.#count = new Count()
    if (leaf === undefined) return
    count.ends()
    const tooMuch = (this.#goal.to === '7bit' && count.eight > 0) || (this.#goal.binary && count.binary)
    if (tooMuch) this.#encode(leaf, count)
    else this.#relabel(leaf, count)
  }

  #encode(leaf: MimeEntity, count: Count): void {
    if (leaf.encoding !== '7bit' && leaf.encoding !== '8bit' && leaf.encoding !== 'binary')
      this.fault ??= `a part declared ${leaf.encoding} is 8bit`
    if (/^(?:message|multipart)\//.test(leaf.type) && !encodableMessages.has(leaf.type))
      this.fault ??= `${leaf.type} may not be encoded`
    const text = leaf.type.startsWith('text/') && !count.binary && count.eight * 3 <= count.octets
    this.encodings.set(leaf.index, text ? 'quoted-printable' : 'base64')
    this.encoded += 1
  }
  /** A label that the next hop does not know, over content that it takes. */
  #relabel(entity: MimeEntity, count?: Count): void {
    const { to } = this.#goal
    if (entity.encoding !== 'binary' && (entity.encoding !== '8bit' || to === '8bit')) return
    this.encodings.set(entity.index, count?.eight === 0 ? '7bit' : to)
  }
}
