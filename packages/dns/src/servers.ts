import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Clock } from '@posthorn/contracts'

/** A name server to ask. */
export interface Server {
  readonly ip: string
  readonly port: number
  /** Whether its word that an answer was validated is believed: it is ourselves, or the operator says so. */
  readonly trusted: boolean
}

/** Where to ask, now. */
export type Servers = () => readonly Server[]

const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1'
const serverAt = (ip: string, port: number, trustAd: boolean | undefined): Server => ({
  ip,
  port,
  trusted: trustAd ?? isLoopback(ip),
})

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`. Throws TypeError on anything else. */
export const parseServer = (text: string, trustAd?: boolean): Server => {
  if (isIP(text) !== 0) return serverAt(text, 53, trustAd)
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? []
  const ip = v6 ?? v4 ?? ''
  if (isIP(ip) === 0 || Number(port) < 1 || Number(port) > 65_535)
    throw new TypeError(`name server ${JSON.stringify(text)} is neither an IP address nor address:port`)
  return serverAt(ip, Number(port), trustAd)
}

/** The name servers of a resolv.conf(5): the first three, and whether `options trust-ad` stands there. */
export const parseResolvConf = (text: string, trustAd?: boolean): readonly Server[] => {
  const lines = text.split('\n').map(line => line.trim().split(/\s+/))
  const trusts =
    trustAd ?? (lines.some(([key, ...words]) => key === 'options' && words.includes('trust-ad')) || undefined)
  const ips = lines.flatMap(([key, ip]) => (key === 'nameserver' && ip !== undefined && isIP(ip) !== 0 ? [ip] : []))
  // resolv.conf(5): without any, the one on this machine.
  return (ips.length === 0 ? ['127.0.0.1'] : ips.slice(0, 3)).map(ip => serverAt(ip, 53, trusts))
}

/** How often we look whether the file changed. */
const lookAgainMs = 5000

/** The system's servers, read again when the file changes: a machine's network may come and go. */
export const systemServers = (clock: Clock, file: string = '/etc/resolv.conf', trustAd?: boolean): Servers => {
  let servers: readonly Server[] = []
  let version: string | undefined
  let looked = -Infinity
  const read = (): void => {
    try {
      const { mtimeMs, size } = statSync(file)
      if (version === `${mtimeMs} ${size}`) return
      servers = parseResolvConf(readFileSync(file, 'utf8'), trustAd)
      version = `${mtimeMs} ${size}`
    } catch {
      // Missing or being replaced: keep what we have.
      if (servers.length === 0) servers = parseResolvConf('', trustAd)
    }
  }
  return () => {
    if (clock.monotonic() - looked >= lookAgainMs) {
      looked = clock.monotonic()
      read()
    }
    return servers
  }
}
