import ipaddr from 'ipaddr.js'
import type { Domain } from './mailbox.ts'

/** Decimal without leading zeros, which some readers take for octal. */
const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/
const leadingZero = /(?:^|\.)0\d/
const ipv6 = /^[0-9a-f:.]{2,45}$/

/** Tag and content of a general address literal (RFC 5321 §4.1.3); a tag does not end in a hyphen. */
const general = /^([a-z0-9-]*[a-z0-9]):([\x21-\x5a\x5e-\x7e]+)$/i

const isIpv4 = (text: string): boolean => ipv4.test(text) && !leadingZero.test(text)

const parseIpv6 = (text: string): ipaddr.IPv6 | undefined => {
  if (!ipv6.test(text)) return undefined
  const quad = /[^:]*\.[^:]*$/.exec(text)
  if (quad !== null && !isIpv4(quad[0])) return undefined
  return ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : undefined
}

/**
 * Read an address literal with its brackets: `[192.0.2.1]`, `[IPv6:2001:db8::1]`, `[tag:content]` (RFC 5321 §4.1.3). The address
 * comes back in one spelling (RFC 5952), the tag in lower case but for `IPv6`.
 */
export const parseLiteral = (text: string): Domain | undefined => {
  if (!text.startsWith('[') || !text.endsWith(']')) return undefined
  const inner = text.slice(1, -1)
  if (isIpv4(inner)) return text as Domain
  const tagged = general.exec(inner)
  if (tagged === null) return undefined
  const tag = tagged[1]!.toLowerCase()
  const content = tagged[2]!
  if (tag !== 'ipv6') return `[${tag}:${content}]` as Domain
  const ip = parseIpv6(content.toLowerCase())
  return ip === undefined ? undefined : (`[IPv6:${ip.toRFC5952String()}]` as Domain)
}

/** Whether a domain is an address literal, not a name to look up. */
export const isAddressLiteral = (domain: Domain): boolean => domain.startsWith('[')

/**
 * The IP address of a literal, in the spelling of RFC 5952; `undefined` for names and general literals. An IPv4 address inside
 * IPv6 (`::ffff:127.0.0.1`) comes back as IPv4, so that a check for loopback or for our own address cannot be walked around.
 */
export const literalIp = (domain: Domain): string | undefined => {
  if (!domain.startsWith('[')) return undefined
  if (!domain.startsWith('[IPv6:')) {
    const inner = domain.slice(1, -1)
    return isIpv4(inner) ? inner : undefined
  }
  const ip = ipaddr.IPv6.parse(domain.slice(6, -1))
  return ip.isIPv4MappedAddress() ? ip.toIPv4Address().toString() : ip.toRFC5952String()
}
