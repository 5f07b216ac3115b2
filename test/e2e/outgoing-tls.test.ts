import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseMailbox } from '@posthorn/address'
import type { Journal } from '@posthorn/contracts'
import { zoneResolver, type Zones } from '@posthorn/dns'
import { checkConfig, createStack, type Stack } from '@posthorn/stack'
import { systemNetwork } from '@posthorn/system'
import { httpsPolicy, selfSigned } from '@posthorn/tls-policy'
import { until } from '../peers/command.ts'

/** What is told of each recipient's attempt. */
interface Told {
  readonly rcpt?: string
  readonly event: string
  readonly phase?: string
  readonly cause?: string
  readonly tlsPolicy?: string
  readonly tlsVerified?: boolean
}

const port0 = { host: '127.0.0.1', port: 0 } as const
const names = [
  'mx.signed.example',
  'mx.sts.example',
  'mta-sts.sts.example',
  'mta-sts.other.example',
  'mta-sts.strip.example',
]
const told: Told[] = []
const heardInClear: string[] = []
let dir: string
let peer: Stack
let sender: Stack
let stripped: Server
let policies: HttpsServer

const journal: Journal = {
  event: (event, fields) => void (event.startsWith('delivery.') && told.push({ event, ...fields })),
  child: () => journal,
}
const policy = (host: string | undefined): string =>
  `version: STSv1\r\nmode: enforce\r\nmx: ${host?.startsWith('mta-sts.other') === true ? 'mx.example' : `mx.${host?.split(':')[0]?.slice(8)}`}\r\nmax_age: 1000\r\n`

const zones = (spki: Uint8Array): Zones => {
  const tlsa = (data: Uint8Array) => ({ tlsa: [{ usage: 3, selector: 1, matching: 1, data }], secure: true })
  const host = (ip: string) => ({ a: [ip], secure: true })
  const sts = { txt: ['v=STSv1; id=1;'] }
  return {
    'signed.example': { mx: [[1, 'mx.signed.example']], secure: true },
    'mx.signed.example': host('127.0.0.1'),
    'forged.example': { mx: [[1, 'mx.forged.example']], secure: true },
    'mx.forged.example': host('127.0.0.1'),
    'broken.example': { mx: [[1, 'mx.broken.example']], secure: true },
    'mx.broken.example': host('127.0.0.1'),
    'silent.example': { mx: [[1, 'mx.silent.example']], secure: true },
    'mx.silent.example': host('127.0.0.2'),
    'sts.example': { mx: [[1, 'mx.sts.example']] },
    'mx.sts.example': { a: ['127.0.0.1'] },
    '_mta-sts.sts.example': sts,
    'other.example': { mx: [[1, 'mx.sts.example']] },
    '_mta-sts.other.example': sts,
    'strip.example': { mx: [[1, 'mx.strip.example']] },
    'mx.strip.example': { a: ['127.0.0.2'] },
    '_mta-sts.strip.example': sts,
    'plain.example': { mx: [[1, 'mx.plain.example']] },
    'mx.plain.example': { a: ['127.0.0.2'] },
    '_PORT._tcp.mx.signed.example': tlsa(spki),
    '_PORT._tcp.mx.forged.example': tlsa(new Uint8Array(32)),
    '_PORT._tcp.mx.broken.example': { fails: 'servfail' },
    '_PORT._tcp.mx.silent.example': tlsa(spki),
  }
}

/** Somebody between us and the exchanger who takes STARTTLS out of what it offers. */
const strip = createServer(socket => {
  socket.on('error', () => undefined)
  socket.write('220 mx ESMTP\r\n')
  socket.on('data', chunk => {
    const line = chunk.toString('latin1')
    heardInClear.push(line.slice(0, 4))
    socket.write(
      line.startsWith('EHLO')
        ? '250-mx\r\n250 SIZE\r\n'
        : line.startsWith('QUIT')
          ? '221 bye\r\n'
          : '550 5.1.1 seen\r\n',
    )
  })
})

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'posthorn-outgoing-'))
  const pair = await selfSigned({ names })
  writeFileSync(join(dir, 'peer.crt'), pair.certPem)
  writeFileSync(join(dir, 'peer.key'), pair.keyPem, { mode: 0o600 })
  peer = await createStack(
    checkConfig({
      hostname: 'mx.peer.example',
      domains: ['signed.example', 'forged.example', 'broken.example', 'silent.example', 'sts.example', 'other.example'],
      mailboxes: ['bob'],
      listeners: { mx: port0, submission: false, submissions: false },
      tls: { cert: join(dir, 'peer.crt'), key: join(dir, 'peer.key') },
    }),
    { state: join(dir, 'peer') },
  )
  const { mx } = await peer.start()
  const smtpPort = mx !== undefined && 'port' in mx ? mx.port : 0
  stripped = strip.listen(smtpPort, '127.0.0.2')
  await once(stripped, 'listening')
  policies = createHttps({ cert: pair.certPem, key: pair.keyPem }, (request, response) => {
    response.setHeader('content-type', 'text/plain').end(policy(request.headers.host))
  }).listen(0, '127.0.0.1')
  await once(policies, 'listening')
  const spki = new X509Certificate(pair.certPem).publicKey.export({ type: 'spki', format: 'der' })
  const zone = Object.entries(zones(createHash('sha256').update(spki).digest())).map(([name, records]) => [
    name.replace('_PORT', `_${smtpPort}`),
    records,
  ])
  sender = await createStack(
    checkConfig({ hostname: 'mx.us.example', listeners: { mx: false, submission: false, submissions: false } }),
    {
      state: join(dir, 'sender'),
      journal,
      resolver: zoneResolver(Object.fromEntries(zone) as Zones),
      network: systemNetwork({ ca: [pair.certPem] }),
      fetchPolicy: httpsPolicy({
        addresses: async () => ['127.0.0.1'],
        port: (policies.address() as AddressInfo).port,
        ca: [pair.certPem],
      }),
      smtpPort,
      allowAddress: () => true,
    },
  )
  await sender.start()
})
afterAll(async () => {
  await sender.stop(0)
  await peer.stop(0)
  stripped.close()
  policies.closeAllConnections()
  policies.close()
  rmSync(dir, { recursive: true, force: true })
})

const sentTo = async (domain: string, head = ''): Promise<string> => {
  const rcpt = `bob@${domain}`
  const before = told.length
  const to = parseMailbox(rcpt)!
  await sender.inject({
    origin: 'api',
    sender: parseMailbox('ann@us.example')!,
    recipients: [{ to, goesTo: [{ to, destination: { transport: 'mx', arg: domain } }] }],
    bytes: (async function* () {
      yield new TextEncoder().encode(`Subject: x\r\n${head}\r\nx\r\n`)
    })(),
  })
  const { event, phase, cause, tlsPolicy, tlsVerified } = await until(`an outcome for ${rcpt}`, () =>
    told.slice(before).find(one => one.rcpt === rcpt),
  )
  const verified = tlsVerified === undefined ? '' : tlsVerified ? ', verified' : ', unverified'
  return `${event} at ${phase} (${tlsPolicy}${verified})${event === 'delivery.relayed' ? '' : `: ${cause}`}`
}

test('a peer whose key is in the DNS gets its mail, and the event says why it was trusted', async () => {
  expect(await sentTo('signed.example')).toBe('delivery.relayed at dot (dane, verified)')
})
test('row 25: a certificate that is not the one of the TLSA record defers', async () => {
  expect(await sentTo('forged.example')).toBe(
    'delivery.deferred at tls (dane): TLS failed: no TLSA record matches the certificate',
  )
})
test('row 43: SERVFAIL for TLSA defers before anything is dialled', async () => {
  expect(await sentTo('broken.example')).toBe(
    'delivery.deferred at dns (dane): the TLSA records of mx.broken.example cannot be looked up now (servfail)',
  )
})
test('a peer that its MTA-STS policy names, with a certificate that bears the name, gets its mail', async () => {
  expect(await sentTo('sts.example')).toBe('delivery.relayed at dot (mta-sts, verified)')
})
test('row 45: a peer that the policy does not name gets nothing', async () => {
  expect(await sentTo('other.example')).toBe(
    'delivery.deferred at tls (mta-sts): the MTA-STS policy of other.example does not name mx.sts.example',
  )
})
test('row 25: STARTTLS stripped by a man in the middle defers under DANE and under MTA-STS, and no envelope is heard', async () => {
  expect(await sentTo('silent.example')).toBe('delivery.deferred at tls (dane): TLS is required (dane) and not offered')
  expect(await sentTo('strip.example')).toBe(
    'delivery.deferred at tls (mta-sts): TLS is required (mta-sts) and not offered',
  )
  expect(heardInClear.filter(word => word !== 'EHLO' && word !== 'QUIT')).toEqual([])
})
test('where nobody asks for it, or the message says TLS-Required: No, it goes in clear', async () => {
  expect(await sentTo('plain.example')).toMatch(/^delivery.bounced at mail \(opportunistic\)/)
  expect(await sentTo('strip.example', 'TLS-Required: No\r\n')).toMatch(/^delivery.bounced at mail \(tls-required-no\)/)
})
