import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { socketWire, systemClock, systemNetwork } from '@posthorn/system'
import { parseMailbox } from '@posthorn/address'
import { bodyOf } from '@posthorn/message'
import { createClient, type Mail, type Target } from '@posthorn/smtp-client'
import { selfSigned, staticCertificates } from '@posthorn/tls-policy'
import type { CertificatePair, ServerTls, TlsNeed, Wire } from '@posthorn/contracts'

// The client's own tests script the wire; here are real sockets, real TLS and the real clock.

const here = { ip: '127.0.0.1', port: 0 }
let pair: CertificatePair
let server: Server
let received = 0

/** A server that knows just enough, over a wire. */
const serve = (wire: Wire, tls: ServerTls): void => {
  let text = ''
  let content = false
  const answer = (line: string): void => {
    if (content) {
      received += line.length + 2
      if (line !== '.') return
      content = false
      wire.write('250 taken\r\n')
    } else if (line.startsWith('EHLO'))
      wire.write(`250-mx\r\n250-PIPELINING\r\n250 ${wire.tls ? 'HELP' : 'STARTTLS'}\r\n`)
    else if (line === 'STARTTLS') {
      wire.write('220 go\r\n')
      wire.secureServer(tls).catch(() => {})
    } else if (line === 'DATA') {
      content = true
      wire.write('354 go\r\n')
    } else wire.write('250 ok\r\n')
    if (line === 'QUIT') wire.close()
  }
  wire.write('220 mx\r\n')
  wire.read({
    data(chunk) {
      text += Buffer.from(chunk).toString('latin1')
      const lines = text.split('\r\n')
      text = lines.pop() ?? ''
      lines.forEach(answer)
    },
    end: () => wire.close(),
    closed: () => {},
  })
}

beforeAll(async () => {
  pair = await selfSigned({ names: ['mx.example.org'] })
  const tls: ServerTls = { certificates: staticCertificates(pair) }
  server = createServer({ noDelay: true }, socket => serve(socketWire(socket, { peer: here, local: here }), tls))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  server.close()
})

const to = (need: Partial<TlsNeed> & Pick<TlsNeed, 'level'>): Target => ({
  protocol: 'smtp',
  host: 'mx.example.org',
  ip: '127.0.0.1',
  port: (server.address() as AddressInfo).port,
  tls: { names: ['mx.example.org'], because: 'test', ...need },
})
const mail = (body: Mail['body'] = bodyOf(new TextEncoder().encode('Subject: hi\r\n\r\nhello\r\n'))): Mail => ({
  returnPath: null,
  recipients: [{ to: parseMailbox('bob@example.org')! }],
  body,
  smtputf8: false,
  eightBit: '7bit',
  requireTls: false,
})
const never = new AbortController().signal
const newClient = () => createClient({ network: systemNetwork(), clock: systemClock, hostname: 'client.example' })

test('a message goes over STARTTLS, verified, and the connection is used again', async () => {
  const client = newClient()
  const hop = to({ level: 'verify', ca: [pair.certPem] })
  for (let i = 0; i < 2; i++) {
    const [outcome] = await client.send(mail(), hop, never)
    expect(outcome).toMatchObject({ fate: 'relayed', tls: { version: 'TLSv1.3', authorized: true } })
  }
  expect(client.idle).toBe(1)
  await client.close()
})

test('row 25: a certificate that does not satisfy defers at phase tls, and opportunistic TLS takes it', async () => {
  const client = newClient()
  for (const need of [
    { level: 'verify' },
    { level: 'verify', ca: [pair.certPem], names: ['other.example'] },
    { level: 'dane', tlsa: [{ usage: 3, selector: 1, matching: 1, data: new Uint8Array(32) }] },
  ] as const)
    expect((await client.send(mail(), to(need), never))[0]).toMatchObject({ fate: 'deferred', phase: 'tls' })
  expect((await client.send(mail(), to({ level: 'may' }), never))[0]).toMatchObject({
    fate: 'relayed',
    tls: { authorized: false },
  })
  await client.close()
})

test('a large body goes through at the pace of the peer', async () => {
  const client = newClient()
  const line = `${'x'.repeat(78)}\r\n`
  const chunk = new TextEncoder().encode(line.repeat(400))
  const body: Mail['body'] = {
    size: 200 * chunk.length,
    async *open() {
      for (let i = 0; i < 200; i++) yield chunk
    },
  }
  received = 0
  expect((await client.send(mail(body), to({ level: 'may' }), never))[0]?.fate).toBe('relayed')
  expect(received).toBe(body.size + 3)
  await client.close()
})
