import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** RFC 1035 §2.3.4: 255 octets on the wire are 253 characters of text. */
const longest = 253

/**
 * A name as it may be asked: lower case without the trailing dot, labels of 1 to 63 printable ASCII octets.
 * Undefined when no such name can exist.
 */
export const askable = (text: string): string | undefined => {
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (name.length === 0 || name.length > longest) return undefined
  return name.split('.').every(label => /^[!-[\]-~]{1,63}$/.test(label)) ? name : undefined
}

/**
 * Whether a name may stand for a host: letters, digits, hyphens, and underscores because the world has them (RFC 952,
 * RFC 1123 §2.1). What an answer names and is not this is dropped: it would end in logs, headers and replies.
 */
export const isHostName = (name: string): boolean =>
  name.length <= longest && name.split('.').every(label => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))

/** Whether a name is really an IP address as text: asking the DNS for it is pointless. */
export const isIpText = (name: string): boolean => isIP(name) !== 0

/** One spelling for each address (RFC 5952), IPv4-mapped ones as IPv4; undefined when it is none. */
export const plainIp = (text: string): string | undefined => {
  if (isIP(text) === 0) return undefined
  const ip = ipaddr.process(text)
  return ip instanceof ipaddr.IPv6 ? ip.toRFC5952String() : ip.toString()
}

/** `192.0.2.1` → `1.2.0.192.in-addr.arpa`, and the same under `ip6.arpa` (RFC 1035 §3.5, RFC 3596 §2.5). */
export const reverseName = (text: string): string | undefined => {
  const plain = plainIp(text)
  if (plain === undefined) return undefined
  const bytes = ipaddr.parse(plain).toByteArray().reverse()
  if (bytes.length === 4) return `${bytes.join('.')}.in-addr.arpa`
  const nibbles = bytes.flatMap(byte => [byte & 15, byte >> 4])
  return `${nibbles.map(nibble => nibble.toString(16)).join('.')}.ip6.arpa`
}

/** The address that a name under `in-addr.arpa` or `ip6.arpa` stands for. */
export const reversedIp = (name: string): string | undefined => {
  const [, v4] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name) ?? []
  if (v4 !== undefined) return plainIp(v4.slice(0, -1).split('.').reverse().join('.'))
  const [, v6] = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name) ?? []
  if (v6 === undefined) return undefined
  const digits = v6.replaceAll('.', '').split('').reverse().join('')
  return plainIp(digits.replace(/.{4}(?=.)/g, '$&:'))
}
