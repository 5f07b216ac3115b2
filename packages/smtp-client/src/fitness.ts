import type { Body } from '@posthorn/message'
import type { Awaitable, Clock } from '@posthorn/contracts'
import { tooLateFor } from './deliver-by.ts'
import { convertedMail, type ConversionPolicy } from './conversion.ts'
import type { Features } from './features.ts'
import type { Mail } from './mail.ts'
import type { Trouble } from './outcome.ts'

const CR = 13
const LF = 10

/** Looks for octets above 127, up to the empty line or to the end. */
class EightBitScan {
  found = false
  readonly #headersOnly: boolean
  /** How much of CR LF CR LF stands just before; a message may begin with the empty line. */
  #seen = 2
  #over = false

  constructor(headersOnly: boolean) {
    this.#headersOnly = headersOnly
  }
  /** False when there is nothing more to learn. */
  push(chunk: Uint8Array): boolean {
    for (const octet of chunk) {
      if (octet > 127) this.found = true
      const expected = this.#seen % 2 === 0 ? CR : LF
      this.#seen = octet === expected ? this.#seen + 1 : octet === CR ? 1 : 0
      if (this.#seen === 4) this.#over = this.#headersOnly
      if (this.#seen === 4) this.#seen = 2
      if (this.found || this.#over) return false
    }
    return true
  }
}

const hasEightBit = async (body: Body, headersOnly: boolean, signal: AbortSignal): Promise<boolean> => {
  const scan = new EightBitScan(headersOnly)
  for await (const chunk of body.open(signal)) if (!scan.push(chunk)) break
  return scan.found
}

const unfit = (status: string, cause: string): Trouble => ({ phase: 'mail', fate: 'failed', status, cause })

const tooLarge = (size: number, features: Features): Trouble =>
  unfit('5.3.4', `the message has ${size} octets, the peer takes ${features.maxSize}`)

/** What the content needs and the peer lacks. Reads the body, which is why it is asked last. */
const lesserMail = async (mail: Mail, o: FitnessOptions): Promise<Mail | Trouble> => {
  const { features, policy, signal } = o
  if (mail.smtputf8 && !features.smtputf8 && (await hasEightBit(mail.body, true, signal)))
    return unfit('5.6.7', 'the header needs SMTPUTF8, which the peer does not offer')
  if (fits(mail.eightBit, features)) return mail
  // Most of what is declared 8bit is not, and that is found out at less cost.
  if (mail.eightBit === '8bitmime' && !(await hasEightBit(mail.body, false, signal))) return mail
  const lesser = await convertedMail(mail, { to: features.eightBitMime ? '8bit' : '7bit', policy }, signal)
  return 'phase' in lesser || lesser.body.size <= features.maxSize ? lesser : tooLarge(lesser.body.size, features)
}

const fits = (eightBit: Mail['eightBit'], features: Features): boolean =>
  eightBit === '7bit' || (eightBit === 'binarymime' ? features.binary : features.eightBitMime)

/** What fitness depends on besides the message. */
export interface FitnessOptions {
  readonly features: Features
  /** TLS is on the wire. */
  readonly secured: boolean
  readonly clock: Pick<Clock, 'wall'>
  readonly policy: ConversionPolicy
  readonly signal: AbortSignal
}

/**
 * The message as this peer can take it, mostly the same, or why it can never have it; looked at before MAIL. What the content is
 * declared to be counts only as a reason to look: 7-bit content declared as 8BITMIME goes anywhere (RFC 6152 §3).
 */
export const fitted = (mail: Mail, o: FitnessOptions): Awaitable<Mail | Trouble> => {
  const { features } = o
  // RFC 8689 §4.2.1: both hops must have it.
  if (mail.requireTls && !(o.secured && features.requireTls))
    return unfit('5.7.30', 'the message requires TLS and the peer does not offer REQUIRETLS')
  const late = mail.deliverBy && tooLateFor(mail.deliverBy, features, o.clock.wall())
  if (late !== undefined) return late
  if (mail.body.size > features.maxSize) return tooLarge(mail.body.size, features)
  const utf8 = mail.smtputf8 && !features.smtputf8
  return utf8 || !fits(mail.eightBit, features) ? lesserMail(mail, o) : mail
}
