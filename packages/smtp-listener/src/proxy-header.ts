import { isIPv4, isIPv6 } from 'node:net'
import type { Endpoint } from '@posthorn/contracts'

/** What a proxy said of a connection. Without endpoints it is the proxy's own, such as a health check. */
export type ProxyHeader =
  { readonly length: number; readonly peer?: Endpoint; readonly local?: Endpoint } | { readonly fault: string }

/** `PROXY TCP6` with two full addresses and ports, and CR LF (PROXY protocol §2.1). */
const LONGEST_TEXT = 107
/** Octets behind the fixed part of version 2; what proxies send besides addresses is far less. */
const LONGEST_BINARY = 4096
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const FIXED = 16

const fault = (why: string): ProxyHeader => ({ fault: why })
const textLine = /^PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/

const readText = (octets: Buffer): ProxyHeader | undefined => {
  const end = octets.indexOf('\r\n')
  if (end === -1) return octets.length < LONGEST_TEXT ? undefined : fault('a line that is too long')
  if (end + 2 > LONGEST_TEXT) return fault('a line that is too long')
  const line = octets.toString('latin1', 0, end)
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length: end + 2 }
  const [, family, from = '', to = '', fromPort, toPort] = textLine.exec(line) ?? []
  const isIp = family === 'TCP4' ? isIPv4 : isIPv6
  const [peerPort, localPort] = [Number(fromPort), Number(toPort)]
  if (family === undefined || !isIp(from) || !isIp(to) || peerPort > 65_535 || localPort > 65_535)
    return fault('a line that cannot be read')
  return { length: end + 2, peer: { ip: from, port: peerPort }, local: { ip: to, port: localPort } }
}

const ipv4 = (octets: Buffer, at: number): string => octets.subarray(at, at + 4).join('.')
const ipv6 = (octets: Buffer, at: number): string => {
  const words = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(at + 2 * i).toString(16))
  // As sockets write it: the longest run of zeros is left out (RFC 5952 §4.2).
  return new URL(`http://[${words.join(':')}]/`).hostname.slice(1, -1)
}

/** What follows the addresses must be whole: a type, a length and a value, again and again. */
const areWhole = (octets: Buffer, from: number): boolean => {
  let at = from
  while (at + 3 <= octets.length) at += 3 + octets.readUInt16BE(at + 1)
  return at === octets.length
}

const readBinary = (octets: Buffer): ProxyHeader | undefined => {
  if (octets.length < FIXED) return undefined
  const [version, command] = [(octets[12] ?? 0) >> 4, (octets[12] ?? 0) & 15]
  const family = octets[13]
  const length = FIXED + octets.readUInt16BE(14)
  if (version !== 2 || command > 1) return fault('a version or command that is unknown')
  if (length > FIXED + LONGEST_BINARY) return fault('a header that is too long')
  if (octets.length < length) return undefined
  if (command === 0 || family === 0) return { length }
  const size = family === 0x11 ? 4 : family === 0x21 ? 16 : undefined
  if (size === undefined) return fault('addresses that are not of TCP')
  const ports = FIXED + 2 * size
  const header = octets.subarray(0, length)
  if (ports + 4 > length || !areWhole(header, ports + 4)) return fault('a header that is cut short')
  const ip = size === 4 ? ipv4 : ipv6
  return {
    length,
    peer: { ip: ip(header, FIXED), port: header.readUInt16BE(ports) },
    local: { ip: ip(header, FIXED + size), port: header.readUInt16BE(ports + 2) },
  }
}

const beginsAlike = (octets: Buffer, word: Buffer): boolean => {
  const length = Math.min(octets.length, word.length)
  return octets.subarray(0, length).equals(word.subarray(0, length))
}
const WORD = Buffer.from('PROXY ')

/** Read what a proxy says first, version 1 or 2 (haproxy.org, PROXY protocol); `undefined` while it has not all come. */
export const readProxyHeader = (octets: Buffer): ProxyHeader | undefined => {
  if (beginsAlike(octets, SIGNATURE)) return octets.length < SIGNATURE.length ? undefined : readBinary(octets)
  if (beginsAlike(octets, WORD)) return octets.length < WORD.length ? undefined : readText(octets)
  return fault('no header')
}
