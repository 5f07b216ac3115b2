import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { CertificatePair } from '@posthorn/contracts'
import { httpsPolicy, selfSigned } from './index.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const good = await selfSigned({ names: ['mta-sts.example.org'] })

const fetched = async (
  answer: RequestListener,
  o: { readonly pair?: CertificatePair; readonly ca?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<string> => {
  const pair = o.pair ?? good
  const server = createServer({ cert: pair.certPem, key: pair.keyPem }, answer).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const fetchPolicy = httpsPolicy({ addresses: async () => ['127.0.0.1'], port, ca: o.ca ?? [pair.certPem] })
  return fetchPolicy('example.org', o.signal ?? AbortSignal.timeout(10_000))
}

const text = 'version: STSv1\r\nmode: none\r\nmax_age: 1\r\n'
const plain: RequestListener = (_request, response) =>
  void response.setHeader('content-type', 'text/plain; charset=utf-8').end(text)

test('a policy is asked for where RFC 8461 §3.3 says, by the name of its host', async () => {
  let asked: unknown
  const body = await fetched((request, response) => {
    asked = [request.method, request.headers.host?.split(':')[0], request.url]
    plain(request, response)
  })
  expect(asked).toEqual(['GET', 'mta-sts.example.org', '/.well-known/mta-sts.txt'])
  expect(body).toBe(text)
})

test('row 45: a redirect is not followed', async () => {
  const asked: unknown[] = []
  const failing = fetched((request, response) => {
    asked.push(request.url)
    response.writeHead(302, { location: '/elsewhere', 'content-type': 'text/plain' }).end()
  })
  await expect(failing).rejects.toThrow('the server answers 302')
  expect(asked).toEqual(['/.well-known/mta-sts.txt'])
})

test('row 45: 65 kB are too many, however they come', async () => {
  const long = fetched(
    (_request, response) => void response.setHeader('content-type', 'text/plain').end('x'.repeat(65_537)),
  )
  await expect(long).rejects.toThrow('it is longer than 64 KiB')
  const endless = fetched((_request, response) => {
    response.setHeader('content-type', 'text/plain')
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(1000)));
    }
    response.on('drain', more)
    more()
  })
  await expect(endless).rejects.toThrow('it is longer than 64 KiB')
})

test('row 45: a wrong type is no policy', async () => {
  for (const type of ['text/html', 'text/plainer', undefined]) {
    const failing = fetched((_request, response) => {
      if (type !== undefined) response.setHeader('content-type', type)
      response.end(text)
    })
    await expect(failing).rejects.toThrow('not text/plain')
  }
  await expect(fetched((_request, response) => void response.writeHead(404).end())).rejects.toThrow('answers 404')
})

test('row 45: a certificate of another name, or of an authority that nobody knows, is a TLS error and no policy', async () => {
  const other = await selfSigned({ names: ['other.example.org', 'example.org'] })
  await expect(fetched(plain, { pair: other })).rejects.toThrow("does not match certificate's altnames")
  await expect(fetched(plain, { ca: [other.certPem] })).rejects.toThrow('self-signed certificate')
})

test('a server that never answers, or never ends, is given up with the signal', async () => {
  const gone = new AbortController()
  const silent = fetched(() => gone.abort(new Error('too late')), { signal: gone.signal })
  await expect(silent).rejects.toThrow('aborted')
  const halfway = new AbortController()
  const cut = fetched(
    (_request, response) => {
      response.setHeader('content-type', 'text/plain')
      response.write('version', () => halfway.abort(new Error('too late')))
    },
    { signal: halfway.signal },
  )
  await expect(cut).rejects.toThrow('aborted')
})

test('a host without an address that may be asked is not dialled', async () => {
  const nowhere = httpsPolicy({ addresses: async () => [] })
  await expect(nowhere('example.org', AbortSignal.timeout(1000))).rejects.toThrow('no address that may be asked')
})
