import { BlockList, isIP, isIPv6 } from 'node:net'

/** Addresses and networks (`192.0.2.1`, `2001:db8::/32`) as something to ask. Throws RangeError for anything else. */
export const networks = (list: readonly string[]): ((ip: string) => boolean) => {
  if (list.length === 0) return () => false
  const all = new BlockList()
  for (const text of list) {
    const [ip = '', bits, ...more] = text.split('/')
    const most = isIPv6(ip) ? 128 : 32
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (isIP(ip) === 0 || prefix < 0 || prefix > most || more.length > 0)
      throw new RangeError(`neither an address nor a network: ${JSON.stringify(text)}`)
    all.addSubnet(ip, prefix, most === 128 ? 'ipv6' : 'ipv4')
  }
  return ip => isIP(ip) !== 0 && all.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
}
