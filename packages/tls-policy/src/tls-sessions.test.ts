import { expect, test } from 'vitest'
import type { Outcome, TlsFacts, TlsNeed } from '@posthorn/contracts'
import { manualClock } from '@posthorn/testkit'
import { TlsSessions, type Evaluated } from './tls-sessions.ts'

const need = (level: TlsNeed['level']): TlsNeed => ({ level, names: ['mx.them.example'], because: 'test' })
const evaluated = (type: 'sts' | 'tlsa' | 'no-policy-found', more: Partial<Evaluated> = {}): Evaluated => ({
  domain: 'them.example',
  host: 'mx.them.example',
  policy: { type, domain: 'them.example', strings: [], mx: [] },
  ...more,
})
const tls = (why?: string): TlsFacts => ({
  version: 'TLSv1.3',
  cipher: 'x',
  authorized: why === undefined,
  ...(why === undefined ? {} : { why }),
})
const ip = '192.0.2.1'

test('sessions are summed by day, domain, policy and failure, and forgotten once they are taken', async () => {
  const clock = manualClock()
  const sessions = new TlsSessions(clock)
  const plain = need('may')
  sessions.know(plain, evaluated('no-policy-found'))
  sessions.session(plain, { ip, tls: tls('the certificate is not trusted (X)') })
  sessions.session(plain, { ip })
  sessions.session(plain, { ip })
  await clock.advance(86_400_000)
  sessions.session(plain, { ip, tls: tls() })
  const failure = { type: 'starttls-not-supported', host: 'mx.them.example', ip, reason: 'STARTTLS was not offered' }
  const { policy } = evaluated('no-policy-found')
  expect(sessions.take()).toEqual([
    {
      day: '2026-01-01',
      domain: 'them.example',
      counts: [{ policy, succeeded: 1, failed: 2, failures: [{ ...failure, count: 2 }] }],
    },
    { day: '2026-01-02', domain: 'them.example', counts: [{ policy, succeeded: 1, failed: 0, failures: [] }] },
  ])
  expect(sessions.take()).toEqual([])
})
test('a need that no policy of the domain asked for does not count', () => {
  const sessions = new TlsSessions(manualClock())
  sessions.session(need('encrypt'), { ip, fault: 'TLS failed: x' })
  expect(sessions.take()).toEqual([])
})
test.each([
  ['TLS is required (dane) and not offered', 'starttls-not-supported'],
  ['TLS failed: the certificate bears none of the names mx.them.example', 'certificate-host-mismatch'],
  ['TLS failed: the certificate is not trusted (CERT_HAS_EXPIRED)', 'certificate-expired'],
  ['TLS failed: the certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)', 'certificate-not-trusted'],
  ['TLS failed: no TLSA record matches the certificate', 'validation-failure'],
])('"%s" is %s', (fault, type) => {
  const sessions = new TlsSessions(manualClock())
  const verify = need('verify')
  sessions.know(verify, evaluated('sts'))
  sessions.session(verify, { ip, fault })
  expect(sessions.take()[0]?.counts[0]?.failures).toMatchObject([{ type, reason: fault, count: 1 }])
})
test('a policy in testing is reported as though it were enforced', () => {
  const sessions = new TlsSessions(manualClock())
  const may = need('may')
  sessions.know(may, evaluated('sts'))
  sessions.session(may, { ip, tls: tls('the certificate is not trusted (X)') })
  expect(sessions.take()[0]?.counts[0]).toMatchObject({ succeeded: 0, failures: [{ type: 'certificate-not-trusted' }] })
})
test('exchangers that a policy forbids, and policies that cannot be had, count as failures', () => {
  const sessions = new TlsSessions(manualClock())
  const outcome: Outcome = { fate: 'deferred', phase: 'tls', cause: 'x' }
  sessions.know(outcome, evaluated('sts', { fault: { type: 'validation-failure', reason: 'not named' } }))
  sessions.refused(outcome)
  sessions.refused(outcome)
  sessions.noPolicy('them.example', 'sts-policy-fetch-error', 'the server answers 404\r\n')
  const [first] = sessions.take()[0]?.counts ?? []
  expect(first?.failures).toMatchObject([
    { type: 'validation-failure', count: 2 },
    { type: 'sts-policy-fetch-error', reason: 'the server answers 404??', count: 1 },
  ])
})
test('however many domains and failures there are, what is remembered is bounded and the sums stay right', () => {
  const sessions = new TlsSessions(manualClock())
  const may = need('may')
  sessions.know(may, evaluated('no-policy-found'))
  for (let i = 0; i < 1_000; i++) sessions.session(may, { ip: `192.0.2.${i}` })
  const counts = sessions.take()[0]?.counts[0]
  expect([counts?.failed, counts?.failures.length]).toEqual([1_000, 100])
  for (let i = 0; i < 10_100; i++) sessions.noPolicy(`d${i}.example`, 'sts-policy-invalid', 'x')
  expect(sessions.take()).toHaveLength(10_000)
})
