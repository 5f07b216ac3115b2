import { isIP, SocketAddress } from 'node:net'

/** The 4 or 16 octets of an address; undefined when it is none. */
export const ipOctets = (ip: string): Buffer | undefined => {
  const version = isIP(ip)
  if (version === 4) return Buffer.from(ip.split('.').map(Number))
  if (version !== 6) return undefined
  // Node writes the one canonical form, with an embedded IPv4 address as such or not.
  const { address } = new SocketAddress({ address: ip.replace(/%.*$/, ''), family: 'ipv6' })
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const hex = (a: string, b: string): string => (Number(a) * 256 + Number(b)).toString(16)
  const [head = '', tail] = (v4 === null ? address : `${v4[1]}${hex(v4[2]!, v4[3]!)}:${hex(v4[4]!, v4[5]!)}`).split(
    '::',
  )
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const all =
    tail === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  return Buffer.from(all.flatMap(group => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]))
}
