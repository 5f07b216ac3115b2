import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseMailbox } from '@posthorn/address'
import type { Journal } from '@posthorn/contracts'
import { zoneResolver } from '@posthorn/dns'
import { checkConfig, createStack, type Stack } from '@posthorn/stack'
import { manualClock, type ManualClock } from '@posthorn/testkit'
import { until } from '../peers/command.ts'

const port0 = { host: '127.0.0.1', port: 0 } as const
const told: string[] = []
const journal: Journal = {
  event: event => void told.push(event),
  child: () => journal,
}
let dir: string
let clock: ManualClock
let peer: Stack
let sender: Stack

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'posthorn-tls-reports-'))
  peer = await createStack(
    checkConfig({
      hostname: 'mx.peer.example',
      domains: ['plain.example', 'testing.example'],
      mailboxes: ['bob', 'tls'],
      listeners: { mx: port0, submission: false, submissions: false },
    }),
    { state: join(dir, 'peer') },
  )
  const { mx } = await peer.start()
  const smtpPort = mx !== undefined && 'port' in mx ? mx.port : 0
  const settle = () => new Promise<void>(resolve => setImmediate(resolve))
  clock = manualClock({ wall: Date.parse('2026-03-01T23:50:00Z'), settle })
  const host = { mx: [[1, 'mx.peer.example']] as const }
  const silent = { mx: false, submission: false, submissions: false } as const
  sender = await createStack(
    checkConfig({
      hostname: 'mx.us.example',
      listeners: silent,
      tlsReports: { contact: 'mailto:tls@us.example', organization: 'Us' },
    }),
    {
      state: join(dir, 'sender'),
      clock,
      journal,
      resolver: zoneResolver({
        'plain.example': host,
        'testing.example': host,
        'mx.peer.example': { a: ['127.0.0.1'] },
        '_mta-sts.testing.example': { txt: ['v=STSv1; id=1;'] },
        '_smtp._tls.testing.example': { txt: ['v=TLSRPTv1; rua=mailto:tls@testing.example'] },
        '_smtp._tls.plain.example': { txt: ['v=TLSRPTv1; rua=mailto:tls@plain.example'] },
      }),
      fetchPolicy: async () => 'version: STSv1\nmode: testing\nmx: mx.peer.example\nmax_age: 604800\n',
      smtpPort,
      allowAddress: () => true,
    },
  )
  await sender.start()
})
afterAll(async () => {
  await sender.stop(0)
  await peer.stop(0)
  rmSync(dir, { recursive: true, force: true })
})

const send = async (domain: string): Promise<void> => {
  const before = told.length
  const to = parseMailbox(`bob@${domain}`)!
  await sender.inject({
    origin: 'api',
    sender: parseMailbox('ann@us.example')!,
    recipients: [{ to, goesTo: [{ to, destination: { transport: 'mx', arg: domain } }] }],
    bytes: (async function* () {
      yield new TextEncoder().encode('Subject: x\r\n\r\nx\r\n')
    })(),
  })
  await until(`an outcome for ${domain}`, () => told.slice(before).find(event => event === 'delivery.relayed'))
}
const count = (name: string): number => told.filter(event => event === name).length
/** Time stands still while mail is on the wire, so that no peer seems slow. */
const untilReported = async (): Promise<void> => {
  for (let i = 0; i < 1_800 && count('delivery.relayed') < 4; i++) {
    await clock.advance(10_000)
    await until('the end of attempts', () =>
      count('message.received') === count('delivery.relayed') ? true : undefined,
    )
  }
}
/** The reports that the peer has, by domain. */
const reports = (): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, readonly string[]>()
  const mail = join(dir, 'peer', 'mail')
  for (const file of readdirSync(mail, { recursive: true, encoding: 'utf8' })) {
    if (!/\/new\/./.test(file)) continue
    const text = readFileSync(join(mail, file), 'utf8')
    const domain = /^TLS-Report-Domain: (.*)\r?$/m.exec(text)?.[1]
    if (domain !== undefined) found.set(domain, [...(found.get(domain) ?? []), text])
  }
  return found
}
const contentOf = (text: string | undefined): unknown => {
  const [, base64 = ''] = /filename="[^"]*"\r?\n\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n\r?\n/.exec(text ?? '') ?? []
  return JSON.parse(gunzipSync(Buffer.from(base64, 'base64')).toString())
}

test('after the day each domain that asks for it gets one report on its sessions, and none on the report', async () => {
  await send('plain.example')
  await send('testing.example')
  await untilReported()
  const arrived = await until('the reports', () => (reports().size === 2 ? reports() : undefined))
  const [text = ''] = arrived.get('testing.example') ?? []
  expect(text).toMatch(/^Return-Path: <>/m)
  expect(text).toMatch(/^TLS-Report-Submitter: mx\.us\.example\r?$/m)
  expect(text).toMatch(/^Content-Type: multipart\/report;\s+report-type="?tlsrpt"?;/m)
  expect(text).toMatch(/^Content-Type: application\/tlsrpt\+gzip\r?$/m)
  expect(text).toMatch(/filename="mx\.us\.example!testing\.example!1772323200!1772409599![0-9a-f]+\.json\.gz"/)
  expect(contentOf(text)).toMatchObject({
    'organization-name': 'Us',
    'date-range': { 'start-datetime': '2026-03-01T00:00:00Z', 'end-datetime': '2026-03-01T23:59:59Z' },
    'contact-info': 'tls@us.example',
    policies: [
      {
        policy: { 'policy-type': 'sts', 'policy-domain': 'testing.example', 'mx-host': ['mx.peer.example'] },
        summary: { 'total-successful-session-count': 0, 'total-failure-session-count': 1 },
        'failure-details': [
          {
            'result-type': 'certificate-not-trusted',
            'receiving-mx-hostname': 'mx.peer.example',
            'receiving-ip': '127.0.0.1',
            'failed-session-count': 1,
          },
        ],
      },
    ],
  })
  expect(contentOf(arrived.get('plain.example')?.[0])).toMatchObject({
    policies: [
      {
        policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'plain.example' },
        summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 },
      },
    ],
  })
  for (let i = 0; i < 60; i++) await clock.advance(1_800_000)
  // One may have come twice: its lease can end while the clock is moved and the real peer still answers.
  const ids = [...reports().values()].map(all => new Set(all.map(text => /^Message-ID: .*/im.exec(text)?.[0])))
  expect(ids.map(({ size }) => size)).toEqual([1, 1])
})
