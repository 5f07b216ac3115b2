import type { Body } from '@posthorn/message'
import type { Awaitable } from '@posthorn/contracts'
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

/** What the content needs and the peer lacks. Reads the body, which is why it is asked last. */
const contentFault = async (mail: Mail, features: Features, signal: AbortSignal): Promise<Trouble | undefined> => {
  if (mail.smtputf8 && !features.smtputf8 && (await hasEightBit(mail.body, true, signal)))
    return unfit('5.6.7', 'the header needs SMTPUTF8, which the peer does not offer')
  if (mail.eightBit !== '7bit' && !features.eightBitMime && (await hasEightBit(mail.body, false, signal)))
    return unfit('5.6.3', 'the content is 8bit and the peer does not offer 8BITMIME')
  return undefined
}

/**
 * Why this message can never go to this peer as it is; looked at before MAIL. What the content is declared to be counts only as a
 * reason to look: 7-bit content declared as 8BITMIME goes anywhere (RFC 6152 §3).
 */
export const unfitness = (
  mail: Mail,
  features: Features,
  secured: boolean,
  signal: AbortSignal,
): Awaitable<Trouble | undefined> => {
  // RFC 8689 §4.2.1: both hops must have it.
  if (mail.requireTls && !(secured && features.requireTls))
    return unfit('5.7.30', 'the message requires TLS and the peer does not offer REQUIRETLS')
  if (mail.body.size > features.maxSize)
    return unfit('5.3.4', `the message has ${mail.body.size} octets, the peer takes ${features.maxSize}`)
  const utf8 = mail.smtputf8 && !features.smtputf8
  const binary = mail.eightBit === 'binarymime' && features.binary
  const eightBit = mail.eightBit !== '7bit' && !features.eightBitMime && !binary
  return utf8 || eightBit ? contentFault(mail, features, signal) : undefined
}
