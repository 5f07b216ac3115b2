/** Text that may stand in a reply: printable ASCII, and short enough for the 512 octets of RFC 5321 §4.5.3.1.5. */
const checked = (text: string): string => {
  if (/[^\x20-\x7e]/.test(text) || text.length > 490) throw new RangeError('reply text must be short printable ASCII')
  return text
}

/** The greeting: 220 with the host name first and no enhanced status (RFC 5321 §4.2, §4.3.1; RFC 2034 §3; RFC 2033 §4.1). */
export const banner = (hostname: string, protocol: 'ESMTP' | 'LMTP' = 'ESMTP'): string =>
  `220 ${checked(`${hostname} ${protocol}`)}\r\n`

/** The answer to EHLO and LHLO: the host name, then one keyword with its parameters a line (RFC 5321 §4.1.1.1). */
export const ehlo = (hostname: string, keywords: readonly string[]): string => {
  const last = keywords.length
  return [hostname, ...keywords].map((line, i) => `250${i === last ? ' ' : '-'}${checked(line)}\r\n`).join('')
}

/** The answer to HELO (RFC 5321 §4.1.1.1). */
export const helo = (hostname: string): string => `250 ${checked(hostname)}\r\n`

/** 354, the go-ahead for DATA (RFC 5321 §4.1.1.4). */
export const startMailInput: string = '354 End data with <CR><LF>.<CR><LF>\r\n'

/** 353: a reply for each recipient comes, and then one for the message (draft-hall-prdr). */
export const recipientsFollow: string = '353 Recipient replies follow\r\n'

/** 334, a challenge within AUTH, already in base64; empty when the mechanism has nothing to say first (RFC 4954 §4). */
export const challenge = (base64: string = ''): string => {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new RangeError('a challenge is base64')
  return `334 ${base64}\r\n`
}

/** Text beyond ASCII in octets, one a character, as it goes on the wire. */
const octetsOf = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text))

/**
 * The answer to VRFY and EXPN: a mailbox a line (RFC 5321 §3.5.1). The only reply with addresses that may be beyond ASCII, for who said that
 * they can be read (RFC 6531 §3.7.4.2). Throws RangeError on none, and on what cannot stand in a line.
 */
export const mailboxes = (addresses: readonly string[]): string => {
  if (addresses.length === 0) throw new RangeError('a reply needs a line')
  const last = addresses.length - 1
  return addresses
    .map((address, i) => {
      checked(address.replaceAll(/[^\0-\x7f]/g, '?'))
      return `250${i === last ? ' ' : '-'}2.1.5 <${octetsOf(address)}>\r\n`
    })
    .join('')
}
