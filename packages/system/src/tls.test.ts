import { createHash, randomBytes, type X509Certificate } from 'node:crypto'
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { connect, createServer, type AddressInfo } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import type { CertificatePair, Certificates, ServerTls, TlsFacts, TlsNeed, Wire } from '@posthorn/contracts'
import { newAuthority, type Authority } from '../test/authority.ts'
import { recorder, streams, wireOf } from '../test/pair.ts'
import { socketWire } from './wire.ts'

let authority: Authority
let mx: CertificatePair & { readonly leaf: X509Certificate }

beforeAll(async () => {
  authority = await newAuthority()
  mx = await authority.issue(['mx.example.org'])
})

const fixed = (pair: CertificatePair): Certificates => ({ forName: () => pair, onChange: () => () => {} })
const serve = (pair: CertificatePair): ServerTls => ({ certificates: fixed(pair) })
const need = (level: TlsNeed['level'], more: Partial<TlsNeed> = {}): TlsNeed => ({
  level,
  names: ['mx.example.org'],
  because: 'test',
  ...more,
})

interface Meeting {
  readonly client: Wire
  readonly server: Wire
  readonly facts: TlsFacts
  readonly served: TlsFacts
}

const meet = async (kind: 'tcp' | 'memory', tls: ServerTls, wants: TlsNeed): Promise<Meeting> => {
  const [near, far] = await streams[kind]()
  const [client, server] = [wireOf(near), wireOf(far)]
  const served = server.secureServer(tls)
  served.catch(() => {})
  const facts = await client.secure(wants)
  return { client, server, facts, served: await served }
}

/** The first words of a client (RFC 8446 §4.1.2), with any octets for its server name (RFC 6066 §3), in as many records as they need. */
const clientHello = (name: Buffer): Buffer => {
  const sized = (bytes: 1 | 2 | 3, ...parts: readonly Buffer[]): Buffer => {
    const content = Buffer.concat(parts)
    const length = Buffer.alloc(bytes)
    length.writeUIntBE(content.length, 0, bytes)
    return Buffer.concat([length, content])
  }
  const hex = (text: string): Buffer => Buffer.from(text, 'hex')
  const serverName = Buffer.concat([hex('0000'), sized(2, sized(2, hex('00'), sized(2, name)))])
  const groups = Buffer.concat([hex('000a'), sized(2, sized(2, hex('001d0017')))])
  const signatures = Buffer.concat([hex('000d'), sized(2, sized(2, hex('040308040401')))])
  const suites = sized(2, hex('c02bc02fc02cc030'))
  const words = [hex('0303'), randomBytes(32), sized(1), suites, sized(1, hex('00'))]
  const whole = Buffer.concat([hex('01'), sized(3, ...words, sized(2, serverName, groups, signatures))])
  const records: Buffer[] = []
  for (let at = 0; at < whole.length; at += 16_000)
    records.push(hex('160301'), sized(2, whole.subarray(at, at + 16_000)))
  return Buffer.concat(records)
}

const end = ({ client, server }: Meeting): void => {
  client.abort()
  server.abort()
}

describe.each(['tcp', 'memory'] as const)('TLS over %s', kind => {
  test('both ends can be bound to the same secret of the connection, another each time (RFC 9266 §2)', async () => {
    const meetings = [
      await meet(kind, serve(mx), need('encrypt')),
      await meet(kind, serve(mx), need('encrypt')),
    ] as const
    const [one, other] = meetings.map(m => [m.client.channelBinding?.(), m.server.channelBinding?.()])
    expect(one?.[0]).toHaveLength(32)
    expect(one?.[0]).toEqual(one?.[1])
    expect(one?.[0]).not.toEqual(other?.[0])
    for (const meeting of meetings) end(meeting)
    const [near] = await streams[kind]()
    expect(wireOf(near).channelBinding?.()).toBeUndefined()
    near.destroy()
  })
  test('a server that is ready long before the client begins is met all the same', async () => {
    const [near, far] = await streams[kind]()
    const [client, server] = [wireOf(near), wireOf(far)]
    client.read(recorder())
    server.read(recorder())
    const served = server.secureServer(serve(mx))
    await new Promise(resolve => setImmediate(resolve))
    const facts = await client.secure(need('encrypt'))
    expect([facts.version, (await served).version]).toEqual(['TLSv1.3', 'TLSv1.3'])
    client.abort()
    server.abort()
  })

  test('carries bytes both ways and keeps the readers that were there before it', async () => {
    const [near, far] = await streams[kind]()
    const [client, server] = [wireOf(near), wireOf(far)]
    const [answers, commands] = [recorder(), recorder()]
    client.read(answers)
    server.read(commands)
    client.write('STARTTLS\r\n')
    await commands.until(r => r.text !== '')
    server.write('220 go\r\n')
    const served = server.secureServer(serve(mx))
    await answers.until(r => r.text !== '')
    const facts = await client.secure(need('verify', { ca: [authority.pem] }))
    await served
    client.write('EHLO x\r\n')
    await commands.until(r => r.text.endsWith('EHLO x\r\n'))
    server.write('250 x\r\n')
    await answers.until(r => r.text.endsWith('250 x\r\n'))
    expect(facts).toMatchObject({ version: 'TLSv1.3', authorized: true })
    expect(server.tls).toMatchObject({ sni: 'mx.example.org' })
    server.close()
    await answers.until(r => r.ended)
    client.close()
    await Promise.all([answers.until(r => r.closes === 1), commands.until(r => r.closes === 1)])
    expect(answers.error).toBeUndefined()
    expect(near.destroyed && far.destroyed).toBe(true)
  })

  test('an aborted handshake rejects with the reason and closes the connection', async () => {
    const [near] = await streams[kind]()
    const wire = wireOf(near)
    const reader = recorder()
    wire.read(reader)
    const controller = new AbortController()
    const handshake = wire.secure(need('may'), controller.signal)
    controller.abort(new Error('too slow'))
    await expect(handshake).rejects.toThrow('too slow')
    await reader.until(r => r.closes === 1)
  })

  test('a client that leaves in the handshake ends it at once', async () => {
    for (const words of [Buffer.alloc(0), clientHello(Buffer.from('mx.example.org')).subarray(0, 40)]) {
      const [near, far] = await streams[kind]()
      const handshake = wireOf(far).secureServer(serve(mx))
      near.on('error', () => undefined).resume()
      near.end(words)
      await expect(handshake).rejects.toThrow('closed in the TLS handshake')
    }
  })

  test('a peer that leaves in the handshake rejects it', async () => {
    const [near, far] = await streams[kind]()
    const handshake = wireOf(near).secure(need('may'))
    far.on('error', () => {})
    far.destroy()
    await expect(handshake).rejects.toThrow('disconnected')
  })
})

describe('what the client asks of a certificate', () => {
  test('may and encrypt take any, and say what is wrong with it', async () => {
    for (const level of ['may', 'encrypt'] as const) {
      const meeting = await meet('tcp', serve(mx), need(level))
      expect(meeting.facts.authorized).toBe(false)
      expect(meeting.facts.why).toBeTruthy()
      end(meeting)
    }
  })
  test('verify wants a chain to a known authority', async () => {
    await expect(meet('tcp', serve(mx), need('verify'))).rejects.toThrow('not trusted')
    end(await meet('tcp', serve(mx), need('verify', { ca: [authority.pem] })))
  })
  test('verify takes the authorities of the network when the need names none', async () => {
    const [near, far] = await streams.tcp()
    const here = { ip: '127.0.0.1', port: 0 }
    const client = socketWire(near, { peer: here, local: here, ca: [authority.pem] })
    const server = wireOf(far)
    const served = server.secureServer(serve(mx))
    expect(await client.secure(need('verify'))).toMatchObject({ authorized: true })
    await served
    client.abort()
    server.abort()
  })
  test('verify is content with any of the names and with no other', async () => {
    const ca = [authority.pem]
    end(await meet('tcp', serve(mx), need('verify', { ca, names: ['other.example', 'mx.example.org'] })))
    await expect(meet('tcp', serve(mx), need('verify', { ca, names: ['other.example'] }))).rejects.toThrow('names')
  })
  test('row 26: a wildcard in the wrong label does not match', async () => {
    const ca = [authority.pem]
    for (const name of ['mx.*.org', '*.org', 'm*.*.org', '*']) {
      const pair = await authority.issue([name])
      await expect(meet('tcp', serve(pair), need('verify', { ca }))).rejects.toThrow('none of the names')
    }
    end(await meet('tcp', serve(await authority.issue(['*.example.org'])), need('verify', { ca })))
  })
  test('row 26: a name with NUL does not match what stands before it', async () => {
    const pair = await authority.issue(['mx.example.org\u0000.evil.example'])
    await expect(meet('tcp', serve(pair), need('verify', { ca: [authority.pem] }))).rejects.toThrow('none of the names')
  })
})

const spki = (certificate: X509Certificate): Buffer => certificate.publicKey.export({ type: 'spki', format: 'der' })
const sha = (bits: 256 | 512, bytes: Uint8Array): Buffer => createHash(`sha${bits}`).update(bytes).digest()

describe('DANE', () => {
  const dane = (
    usage: number,
    selector: number,
    matching: number,
    data: Uint8Array,
    names = ['mx.example.org'],
  ): TlsNeed => need('dane', { names, tlsa: [{ usage, selector, matching, data }] })

  test('3 1 1, 3 0 1, 3 1 2 and 3 0 0 name the leaf, whatever its names and dates', async () => {
    const old = await authority.issue(['else.example'], { notAfter: new Date(Date.now() - 3_600_000) })
    const needs = [
      dane(3, 1, 1, sha(256, spki(old.leaf))),
      dane(3, 0, 1, sha(256, old.leaf.raw)),
      dane(3, 1, 2, sha(512, spki(old.leaf))),
      dane(3, 0, 0, old.leaf.raw),
    ]
    for (const wants of needs) {
      const meeting = await meet('tcp', serve(old), wants)
      expect(meeting.facts.authorized).toBe(true)
      end(meeting)
    }
  })
  test('2 0 1 and 2 1 1 name the authority, and the leaf must bear a name', async () => {
    const { certificate } = authority
    end(await meet('tcp', serve(mx), dane(2, 0, 1, sha(256, certificate.raw))))
    end(await meet('tcp', serve(mx), dane(2, 1, 1, sha(256, spki(certificate)))))
    await expect(meet('tcp', serve(mx), dane(2, 0, 1, sha(256, certificate.raw), ['no.example']))).rejects.toThrow(
      'names',
    )
  })
  test('a trust anchor that is shown but did not sign is refused', async () => {
    const stranger = await newAuthority()
    const forged = await stranger.issue(['mx.example.org'])
    const leafOnly = forged.certPem.slice(0, forged.certPem.indexOf('-----END CERTIFICATE-----') + 26)
    const pair = { keyPem: forged.keyPem, certPem: leafOnly + authority.pem }
    await expect(meet('tcp', serve(pair), dane(2, 0, 1, sha(256, authority.certificate.raw)))).rejects.toThrow(
      'does not lead',
    )
  })
  test('an expired leaf under a trust anchor is refused', async () => {
    const old = await authority.issue(['mx.example.org'], { notAfter: new Date(Date.now() - 3_600_000) })
    await expect(meet('tcp', serve(old), dane(2, 0, 1, sha(256, authority.certificate.raw)))).rejects.toThrow(
      'does not lead',
    )
  })
  test('a record of another key refuses the peer', async () => {
    await expect(meet('tcp', serve(mx), dane(3, 1, 1, randomBytes(32)))).rejects.toThrow('TLSA')
  })
  test('no record at all refuses the peer', async () => {
    await expect(meet('tcp', serve(mx), need('dane'))).rejects.toThrow('no TLSA record')
  })
  test('row 43: TLSA data of 0, 1, 3 and 19 bytes is unusable, which means encryption without a check', async () => {
    for (const length of [0, 1, 3, 19]) {
      const meeting = await meet('tcp', serve(mx), dane(3, 1, 1, randomBytes(length)))
      expect(meeting.facts).toMatchObject({ authorized: false, why: 'no usable TLSA record' })
      end(meeting)
    }
  })
})

/** A listener that puts TLS on every connection and says nothing. */
const listener = async (tls: ServerTls): Promise<{ port: number; outcomes: Promise<TlsFacts>[]; close(): void }> => {
  const outcomes: Promise<TlsFacts>[] = []
  const wires: Wire[] = []
  const server = createServer(socket => {
    const wire = wireOf(socket)
    const outcome = wire.secureServer(tls)
    outcome.then(
      () => wire.read(recorder()),
      () => {},
    )
    wires.push(wire)
    outcomes.push(outcome)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    outcomes,
    close() {
      server.close()
      for (const wire of wires) wire.abort()
    },
  }
}
const hello = (port: number, o: ConnectionOptions): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...o }, () => resolve(socket))
    socket.on('error', reject)
  })

describe('what the server answers', () => {
  test('row 22: ALPN http/1.1 is refused, the protocol of mail and none are taken', async () => {
    const here = await listener(serve(mx))
    await expect(hello(here.port, { ALPNProtocols: ['http/1.1'] })).rejects.toThrow('no application protocol')
    const mail = await hello(here.port, { ALPNProtocols: ['smtp'] })
    expect(mail.alpnProtocol).toBe('smtp')
    const none = await hello(here.port, {})
    mail.destroy()
    none.destroy()
    await expect(here.outcomes[0]).rejects.toThrow('application protocol')
    here.close()
  })
  test('row 22: an HTTP request in clear fails the handshake', async () => {
    const here = await listener(serve(mx))
    const socket = connect(here.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise(resolve => socket.once('close', resolve))
    await expect(here.outcomes[0]).rejects.toThrow('http request')
    here.close()
  })
  test('row 21: clear text after TLS ends the connection with an error and reaches nobody', async () => {
    const [near, far] = await streams.memory()
    const [middle, beyond] = await streams.memory()
    near.on('data', (chunk: Uint8Array) => beyond.write(chunk))
    beyond.on('data', (chunk: Uint8Array) => near.write(chunk))
    const server = wireOf(far)
    const client = wireOf(middle)
    const reader = recorder()
    const served = server.secureServer(serve(mx))
    await client.secure(need('may'))
    await served
    server.read(reader)
    near.write('QUIT\r\n')
    await reader.until(r => r.closes === 1)
    expect([reader.text, reader.error?.message]).toEqual(['', 'TLS: bad record type'])
    client.abort()
  })
  test('row 23: hostile server names get the default certificate', async () => {
    const asked: (string | undefined)[] = []
    const tls: ServerTls = {
      certificates: {
        forName(sni) {
          asked.push(sni)
          return mx
        },
        onChange: () => () => {},
      },
    }
    const here = await listener(tls)
    for (const servername of ['a\\b', 'x y', '../../etc', 'MX.Example.ORG', 'a'.repeat(250) + '.org']) {
      const socket = await hello(here.port, { servername }).catch(() => undefined)
      socket?.destroy()
    }
    expect(new Set(asked)).toEqual(new Set([undefined, 'mx.example.org']))
    here.close()
  })
  test.each(
    [
      ['a NUL', Buffer.from('mx.example.org\0.evil.test')],
      ['a backslash', Buffer.from('mx\\.example.org')],
      ['an address', Buffer.from('192.0.2.1')],
      ['nothing', Buffer.alloc(0)],
      ['64 kB', Buffer.alloc(65_000, 'a')],
      ['what is no text', Buffer.from([0xff, 0xfe, 0x80])],
    ].flatMap(([what, name]) => [false, true].map(sameForAll => [what, sameForAll, name] as [string, boolean, Buffer])),
  )(
    'row 23: %s in the place of a server name harms neither the server nor who comes next (one certificate: %s)',
    async (_what, sameForAll, name) => {
      const asked: (string | undefined)[] = []
      const forName = (sni: string | undefined): CertificatePair => {
        asked.push(sni)
        return mx
      }
      const here = await listener({ certificates: { forName, sameForAll, onChange: () => () => {} } })
      const socket = connect(here.port, '127.0.0.1')
      const answered = new Promise<Buffer>(resolve => {
        const heard: Buffer[] = []
        socket.on('data', chunk => {
          heard.push(chunk)
          socket.end()
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve(Buffer.concat(heard)))
      })
      socket.write(clientHello(name))
      // A server's hello, or an alert.
      expect([21, 22]).toContain((await answered)[0])
      expect(asked.filter(sni => sni !== undefined && sni !== '192.0.2.1')).toEqual([])
      const next = await hello(here.port, { servername: 'mx.example.org' })
      expect(next.getPeerCertificate().fingerprint256).toBe(mx.leaf.fingerprint256)
      next.destroy()
      here.close()
    },
  )
  test('where all names have one certificate it is renewed too, and what the client asked for is known', async () => {
    let current = mx
    const certificates: Certificates = { forName: () => current, sameForAll: true, onChange: () => () => {} }
    const wants = need('encrypt', { names: ['other.example'] })
    const before = await meet('tcp', { certificates }, wants)
    expect(before.served.sni).toBe('other.example')
    current = await authority.issue(['mx.example.org'])
    const after = await meet('tcp', { certificates }, wants)
    const dane = (pair: typeof mx): TlsNeed =>
      need('dane', { tlsa: [{ usage: 3, selector: 0, matching: 0, data: pair.leaf.raw }] })
    const renewed = await meet('tcp', { certificates }, dane(current))
    await expect(meet('tcp', { certificates }, dane(mx))).rejects.toThrow('TLSA')
    for (const meeting of [before, after, renewed]) end(meeting)
  })
  test('a certificate is chosen by name and renewed when they change', async () => {
    let current = mx
    let changed = (): void => {}
    const other = await authority.issue(['other.example'])
    const tls: ServerTls = {
      certificates: {
        forName: sni => (sni === 'other.example' ? other : current),
        onChange(call) {
          changed = call
          return () => {}
        },
      },
    }
    const here = await listener(tls)
    const shown = async (servername: string): Promise<string | undefined> => {
      const socket = await hello(here.port, { servername })
      const { fingerprint256 } = socket.getPeerCertificate()
      socket.destroy()
      return fingerprint256
    }
    expect(await shown('mx.example.org')).toBe(mx.leaf.fingerprint256)
    expect(await shown('other.example')).toBe(other.leaf.fingerprint256)
    current = await authority.issue(['mx.example.org'])
    changed()
    expect(await shown('mx.example.org')).toBe(current.leaf.fingerprint256)
    here.close()
  })
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'row 24: a %s ticket of listener A is good at A and not at B',
    async version => {
      const [a, b] = [await listener(serve(mx)), await listener(serve(mx))]
      const session = await new Promise<Buffer>((resolve, reject) => {
        const socket = tlsConnect({ port: a.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: version })
        socket.once('session', got => {
          socket.destroy()
          resolve(got)
        })
        socket.on('error', reject)
      })
      const again = await hello(a.port, { session, maxVersion: version })
      const elsewhere = await hello(b.port, { session, maxVersion: version })
      expect([again.isSessionReused(), elsewhere.isSessionReused()]).toEqual([true, false])
      again.destroy()
      elsewhere.destroy()
      a.close()
      b.close()
    },
  )
  test('TLS 1.1 is refused', async () => {
    const here = await listener(serve(mx))
    const old = hello(here.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    await expect(old).rejects.toThrow('protocol version')
    here.close()
  })
  test('an unusable certificate rejects and closes the connection', async () => {
    const [near, far] = await streams.tcp()
    near.on('error', () => {})
    const server = wireOf(far)
    await expect(server.secureServer(serve({ certPem: 'nonsense', keyPem: 'nonsense' }))).rejects.toThrow(
      'no start line',
    )
    near.resume()
    await new Promise(resolve => near.once('close', resolve))
  })
})

describe("the client's certificate", () => {
  test.each(['tcp', 'memory'] as const)('is shown to a server that asks for one, over %s', async kind => {
    const pair = await authority.issue(['relay.example.org'])
    const asking: ServerTls = { ...serve(mx), clientCertificates: { ca: [authority.pem] } }
    const { served } = await meet(kind, asking, need('encrypt', { certificate: pair }))
    expect(served.peerCertificate).toMatchObject({ trusted: true, names: ['DNS:relay.example.org'] })
    expect((await meet(kind, asking, need('encrypt'))).served.peerCertificate).toBeUndefined()
    expect((await meet(kind, serve(mx), need('encrypt', { certificate: pair }))).served.peerCertificate).toBeUndefined()
  })
})
