import { convertBody } from '@posthorn/message'
import type { Mail } from './mail.ts'
import type { Trouble } from './outcome.ts'

/**
 * When a message is turned into 8bit or 7bit for a peer that takes no more: unless a signature would break, whatever breaks, or not at
 * all.
 */
export type ConversionPolicy = 'unsigned' | 'always' | 'never'

/** What the peer takes. */
export interface Lesser {
  readonly to: '7bit' | '8bit'
  readonly policy: ConversionPolicy
}

const refused = (cause: string): Trouble => ({ phase: 'mail', fate: 'failed', status: '5.6.3', cause })

/** RFC 6152 §3: convert, or return as undeliverable; never send as it is. `Mail` is the same when there is nothing to convert. */
export const convertedMail = async (
  mail: Mail,
  { to, policy }: Lesser,
  signal: AbortSignal,
): Promise<Mail | Trouble> => {
  const lack = mail.eightBit === 'binarymime' ? 'BINARYMIME' : '8BITMIME'
  if (policy === 'never') return refused(`the peer does not offer ${lack}`)
  const goal = { to, binary: mail.eightBit === 'binarymime', evenSigned: policy === 'always' }
  const made = await convertBody(mail.body, goal, signal)
  if (!made.ok) return refused(`the peer does not offer ${lack}, and the message cannot be converted: ${made.cause}`)
  return made.body === mail.body ? mail : { ...mail, body: made.body, eightBit: to === '7bit' ? '7bit' : '8bitmime' }
}
