import type { Body } from './body.ts'
import { joinBytes, utf8 } from './bytes.ts'
import { ConversionPlan, type ConversionGoal, type NewEncoding } from './conversion-plan.ts'
import type { MimeEntity } from './mime-entity.ts'
import { MimeWalker, type MimeVisitor } from './mime-walker.ts'
import { Base64, QuotedPrintable, type TransferEncoder } from './transfer-encoder.ts'

/** What is wanted of a conversion. */
export interface ConversionOptions extends ConversionGoal {
  /** Convert although a signature (DKIM, S/MIME, PGP) will be broken by it. */
  readonly evenSigned?: boolean
}
/** The message for a lesser next hop, or why there is none. */
export type Conversion =
  | {
      readonly ok: true
      /** The body given, when there was nothing to do. Reads it each time it is opened. */
      readonly body: Body
      /** Parts whose content is encoded now; 0 when only labels changed, or nothing. */
      readonly parts: number
    }
  | { readonly ok: false; readonly why: 'signed' | 'structure'; readonly cause: string }

const CRLF = Uint8Array.of(13, 10)
const line = (text: string): Uint8Array => utf8(`${text}\r\n`)

/** Puts the message together again, with other encodings and labels. */
class Writer implements MimeVisitor {
  readonly #encodings: ReadonlyMap<number, NewEncoding>
  #out: Uint8Array[] = []
  #encoder: TransferEncoder | undefined

  constructor(encodings: ReadonlyMap<number, NewEncoding>) {
    this.#encodings = encodings
  }
  header(block: Uint8Array, entity: MimeEntity): void {
    this.#contentEnds()
    const encoding = this.#encodings.get(entity.index)
    this.#encoder =
      encoding === 'base64' ? new Base64() : encoding === 'quoted-printable' ? new QuotedPrintable() : undefined
    if (encoding === undefined) this.#out.push(block)
    else this.#labelled(block, entity, encoding)
  }
  /** The other fields stay where they are and as they are. */
  #labelled(block: Uint8Array, { headers, root }: MimeEntity, encoding: NewEncoding): void {
    let label: Uint8Array | undefined = line(`Content-Transfer-Encoding: ${encoding}`)
    let size = 0
    for (const { name, raw } of headers.fields) {
      size += raw.length
      if (name.toLowerCase() !== 'content-transfer-encoding') this.#out.push(raw)
      else if (label !== undefined) {
        this.#out.push(label)
        label = undefined
      }
    }
    if (root && this.#encoder !== undefined) this.#madeMime(headers)
    if (label !== undefined) this.#out.push(label)
    this.#out.push(size === block.length ? CRLF : block.subarray(size))
  }
  /** A message that was never MIME says what it is now; of its characters nothing is known (RFC 1428 §3). */
  #madeMime(headers: MimeEntity['headers']): void {
    if (headers.count('mime-version') === 0) this.#out.push(line('MIME-Version: 1.0'))
    if (headers.count('content-type') === 0) this.#out.push(line('Content-Type: text/plain; charset=unknown-8bit'))
  }
  content(bytes: Uint8Array): void {
    this.#out.push(this.#encoder === undefined ? bytes : this.#encoder.push(bytes))
  }
  between(bytes: Uint8Array): void {
    this.#contentEnds()
    this.#out.push(bytes)
  }
  #contentEnds(): void {
    if (this.#encoder !== undefined) this.#out.push(this.#encoder.end())
    this.#encoder = undefined
  }
  end(): void {
    const whole = this.#encoder instanceof Base64
    this.#contentEnds()
    if (whole) this.#out.push(CRLF)
  }
  /** What there is so far. */
  take(): Uint8Array {
    const out = joinBytes(this.#out)
    this.#out = []
    return out
  }
}

/** The converted octets, one chunk for each of the source. */
async function* written(
  source: Body,
  encodings: ReadonlyMap<number, NewEncoding>,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  const writer = new Writer(encodings)
  const walker = new MimeWalker(writer)
  for await (const chunk of source.open(signal)) {
    walker.push(chunk)
    const out = writer.take()
    if (out.length > 0) yield out
  }
  walker.end()
  writer.end()
  const out = writer.take()
  if (out.length > 0) yield out
}

const planFor = async (body: Body, goal: ConversionGoal, signal: AbortSignal | undefined): Promise<ConversionPlan> => {
  const plan = new ConversionPlan(goal)
  const walker = new MimeWalker(plan)
  for await (const chunk of body.open(signal)) {
    walker.push(chunk)
    if (walker.fault !== undefined) break
  }
  walker.end()
  plan.finish()
  plan.fault ??= walker.fault
  return plan
}

/**
 * Make a message fit for a next hop without 8BITMIME (RFC 6152 §3) or BINARYMIME (RFC 3030 §3): parts that hold too much become
 * quoted-printable or base64, labels follow, every other octet stays. Refused when a signature would break, and when the message
 * cannot be expressed so (an 8bit header, a part that may not be encoded). Reads the body twice, and once more each time the result
 * is read; holds a header and a few lines of it in memory, never a part. Rejects when the body cannot be read.
 */
export const convertBody = async (body: Body, o: ConversionOptions, signal?: AbortSignal): Promise<Conversion> => {
  const plan = await planFor(body, o, signal)
  // A wrong label over content that the next hop takes harms less than a broken signature.
  if (plan.fault === undefined && (plan.encodings.size === 0 || (plan.encoded === 0 && plan.signed)))
    return { ok: true, body, parts: 0 }
  if (plan.signed && o.evenSigned !== true) return { ok: false, why: 'signed', cause: 'a signature covers the content' }
  if (plan.fault !== undefined) return { ok: false, why: 'structure', cause: plan.fault }
  let size = 0
  for await (const chunk of written(body, plan.encodings, signal)) size += chunk.length
  return { ok: true, parts: plan.encoded, body: { size, open: again => written(body, plan.encodings, again) } }
}
