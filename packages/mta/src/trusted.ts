import ipaddr from 'ipaddr.js'

/** Whether a client address lies in one of the blocks. An unreadable address is never trusted. */
export type Trust = (ip: string) => boolean

/**
 * Networks of clients, as CIDR blocks (`192.0.2.0/24`, `2001:db8::/32`) or single addresses.
 * An IPv4 address mapped into IPv6 counts as the IPv4 address it is. Throws RangeError on a block that cannot be read.
 */
export const trust = (blocks: readonly string[]): Trust => {
  const ranges = blocks.map(parseBlock)
  if (ranges.length === 0) return () => false
  const ask = (ip: string): boolean => {
    if (!ipaddr.isValid(ip)) return false
    const address = ipaddr.process(ip)
    return ranges.some(([net, bits]) => net.kind() === address.kind() && address.match(net, bits))
  }
  // Of the address that was asked about last: a client with much mail is asked about for each recipient.
  let last = { ip: '', trusted: false }
  return ip => {
    if (ip !== last.ip) last = { ip, trusted: ask(ip) }
    return last.trusted
  }
}

type Address = ReturnType<typeof ipaddr.process>

const parseBlock = (text: string): [Address, number] => {
  const slash = text.includes('/')
  if (slash ? !ipaddr.isValidCIDR(text) : !ipaddr.isValid(text))
    throw new RangeError(`${JSON.stringify(text)} is not an address or a CIDR block`)
  if (slash) {
    const [net, bits] = ipaddr.parseCIDR(text)
    return [net, bits]
  }
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
