import { request, type RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'

/** Fetches the policy file of a domain; rejects with an Error that says why there is none. */
export type FetchPolicy = (domain: string, signal: AbortSignal) => Promise<string>

export interface HttpsPolicyOptions {
  /** The addresses of a host that may be asked. */
  readonly addresses: (host: string, signal: AbortSignal) => Promise<readonly string[]>
  /** 443 when absent. */
  readonly port?: number
  /** Authorities (PEM) instead of the system's. */
  readonly ca?: readonly string[]
}

/** RFC 8461 §3.3 suggests this much. */
const MOST_OCTETS = 65_536

/** The addresses that were looked up before, whatever name is asked for. */
const fixed =
  (addresses: readonly string[]): LookupFunction =>
  (_host, options, done) => {
    const all = addresses.map(address => ({ address, family: isIP(address) }))
    if (options.all === true) return done(null, all)
    done(null, all[0]?.address ?? '', all[0]?.family)
  }

const answered = (options: RequestOptions): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request(options, resolve).once('error', reject).end()
  })

const faultOf = ({ statusCode = 0, headers }: IncomingMessage): string | undefined => {
  // RFC 8461 §3.3: a redirect is not followed, and only 200 is a policy.
  if (statusCode !== 200) return `the server answers ${statusCode}`
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  return type === 'text/plain' ? undefined : `its type is ${JSON.stringify(type?.slice(0, 60))}, not text/plain`
}

const textOf = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MOST_OCTETS) throw new Error('it is longer than 64 KiB')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Fetch policies as RFC 8461 §3.3 has it: from `mta-sts.` before the domain, its certificate verified, no redirect followed, plain text of at
 * most 64 KiB. The signal is the deadline.
 */
export const httpsPolicy =
  (o: HttpsPolicyOptions): FetchPolicy =>
  async (domain, signal) => {
    const host = `mta-sts.${domain}`
    const addresses = await o.addresses(host, signal)
    if (addresses.length === 0) throw new Error(`${host} has no address that may be asked`)
    const response = await answered({
      host,
      servername: host,
      port: o.port ?? 443,
      path: '/.well-known/mta-sts.txt',
      headers: { accept: 'text/plain' },
      // A connection of its own: nothing is kept for the next domain.
      agent: false,
      minVersion: 'TLSv1.2',
      lookup: fixed(addresses),
      signal,
      ...(o.ca === undefined ? {} : { ca: [...o.ca] }),
    })
    try {
      const fault = faultOf(response)
      if (fault !== undefined) throw new Error(fault)
      return await textOf(response)
    } finally {
      response.destroy()
    }
  }
