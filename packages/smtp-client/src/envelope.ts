import { asciiMailbox, formatPath, isAscii, octetsOfText } from '@posthorn/address'
import { xtextEncode } from '@posthorn/smtp'
import type { Mailbox } from '@posthorn/address'
import type { Clock } from '@posthorn/contracts'
import { byParameter, withDelay } from './deliver-by.ts'
import type { Features } from './features.ts'
import type { Mail, MailRecipient } from './mail.ts'
import type { Trouble } from './outcome.ts'

/** The commands of one transaction, each with its CR LF, as latin1. */
export interface Envelope {
  readonly mail: string
  /** In the order of the recipients; Trouble for one that this peer cannot be told. */
  readonly rcpts: readonly (string | Trouble)[]
}

/** One command as octets. The addresses are checked where they are made; a line break here would be a second command. */
const line = (text: string): string => {
  // oxlint-disable-next-line no-control-regex -- finding them is the purpose
  if (/[\r\n\0]/.test(text)) throw new RangeError('a command cannot hold a line break')
  return `${octetsOfText(text)}\r\n`
}

/** RFC 6531 §3.2: the address goes to a server without SMTPUTF8 only if ASCII can say it; a domain always can. */
const pathFor = (mailbox: Mailbox | null, features: Features): string | undefined => {
  if (mailbox === null || features.smtputf8) return formatPath(mailbox)
  const ascii = asciiMailbox(mailbox)
  return ascii === undefined ? undefined : formatPath(ascii)
}

const bodyParameter = (eightBit: Mail['eightBit'], features: Features): string => {
  if (eightBit === '7bit') return ''
  if (eightBit === 'binarymime' && features.binary) return ' BODY=BINARYMIME'
  return features.eightBitMime ? ' BODY=8BITMIME' : ''
}

const mailLine = (mail: Mail, path: string, features: Features, utf8: boolean, by: string): string => {
  let text = `MAIL FROM:${path}`
  // A probe has no content to announce.
  if (features.size && mail.body.size > 0) text += ` SIZE=${mail.body.size}`
  text += bodyParameter(mail.eightBit, features)
  if (utf8) text += ' SMTPUTF8'
  if (mail.requireTls) text += ' REQUIRETLS'
  // RFC 6710 §4.3
  if (features.priority && mail.priority !== undefined) text += ` MT-PRIORITY=${mail.priority}`
  text += by
  if (features.dsn) {
    if (mail.ret !== undefined) text += ` RET=${mail.ret.toUpperCase()}`
    if (mail.envid !== undefined) text += ` ENVID=${xtextEncode(octetsOfText(mail.envid))}`
  }
  return line(text)
}

/** RFC 3461 §4.2; beyond ASCII the encoding of RFC 6533 §3, which every server can take. */
const orcptParameter = (orcpt: string): string => {
  const semicolon = orcpt.indexOf(';')
  const type = orcpt.slice(0, semicolon)
  const address = orcpt.slice(semicolon + 1)
  if (isAscii(address)) return ` ORCPT=${type};${xtextEncode(address)}`
  const encoded = Array.from(address, c =>
    /[!-*,-<>-[\]-~]/.test(c) ? c : `\\x{${(c.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`,
  )
  return ` ORCPT=${type};${encoded.join('')}`
}

const rcptLine = ({ notify, orcpt }: MailRecipient, path: string, features: Features): string => {
  let text = `RCPT TO:${path}`
  if (features.dsn) {
    if (notify !== undefined) text += ` NOTIFY=${typeof notify === 'string' ? 'NEVER' : notify.join(',').toUpperCase()}`
    if (orcpt !== undefined) text += orcptParameter(orcpt)
  }
  return line(text)
}

const askedOfDelay = (recipient: MailRecipient): MailRecipient => ({
  ...recipient,
  notify: withDelay(recipient.notify),
})

const needsUtf8 = (mailbox: Mailbox | null): boolean => mailbox !== null && !isAscii(mailbox.wire)

const cannotSay: Trouble = {
  phase: 'mail',
  fate: 'failed',
  cause: 'the address needs SMTPUTF8, which the peer does not offer',
  status: '5.6.7',
}

/**
 * The commands for this peer, with nothing in them that it does not offer; Trouble when it cannot be told the sender. The time that is
 * left of a message is counted from now.
 */
export const envelopeFor = (mail: Mail, features: Features, clock: Pick<Clock, 'wall'>): Envelope | Trouble => {
  const from = pathFor(mail.returnPath, features)
  if (from === undefined) return cannotSay
  const utf8 =
    features.smtputf8 && (mail.smtputf8 || needsUtf8(mail.returnPath) || mail.recipients.some(r => needsUtf8(r.to)))
  const { deliverBy } = mail
  const by = deliverBy !== undefined && features.deliverBy ? byParameter(deliverBy, clock.wall()) : ''
  const recipients = deliverBy?.mode === 'notify' && by === '' ? mail.recipients.map(askedOfDelay) : mail.recipients
  return {
    mail: mailLine(mail, from, features, utf8, by),
    rcpts: recipients.map(recipient => {
      const path = pathFor(recipient.to, features)
      return path === undefined ? { ...cannotSay, phase: 'rcpt' } : rcptLine(recipient, path, features)
    }),
  }
}
