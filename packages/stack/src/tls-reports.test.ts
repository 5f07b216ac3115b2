import { expect, test } from 'vitest'
import { parseDomain, parseMailbox } from '@posthorn/address'
import type { Injection, Journal, Outcome } from '@posthorn/contracts'
import { manualClock, memoryKeyValue, seededRandom, staticResolver } from '@posthorn/testkit'
import { TlsSessions } from '@posthorn/tls-policy'
import { reportTls, type TlsReports } from './tls-reports.ts'

const hour = 3_600_000
const hostname = parseDomain('mx.us.example')!
const tlsReports = { contact: 'mailto:tls@us.example' }
const records = {
  '_smtp._tls.them.example': { txt: ['v=TLSRPTv1; rua=mailto:reports@them.example'] },
  '_smtp._tls.nobody.example': { txt: ['v=spf1 -all'] },
}

const world = () => {
  const clock = manualClock()
  const kv = memoryKeyValue(clock)
  const sent: Injection[] = []
  const errors: unknown[] = []
  const journal: Journal = { event: (_, fields) => void errors.push(fields), child: () => journal }
  const start = (o: { readonly fails?: () => boolean } = {}): { sessions: TlsSessions; reports: TlsReports } => {
    const sessions = new TlsSessions(clock)
    const reports = reportTls(
      { hostname, tlsReports },
      {
        clock,
        random: seededRandom(1),
        journal,
        resolver: staticResolver(records),
        kv,
        sessions,
        isFirst: true,
        inject: async injection => {
          if (o.fails?.() === true) throw new Error('full')
          sent.push(injection)
          return '0123456789' as Awaited<ReturnType<Parameters<typeof reportTls>[1]['inject']>>
        },
        resolve: async recipients =>
          recipients.map(({ to, notify }) => ({
            to,
            ...(notify === undefined ? {} : { notify }),
            goesTo: [{ to, destination: { transport: 'mx', arg: to.domain } }],
          })),
      },
    )
    if (reports === undefined) throw new Error('reports are configured')
    return { sessions, reports }
  }
  return { clock, kv, sent, errors, start }
}

test('the counts of a day outlive the process, and go out once, from the null sender, with no notification', async () => {
  const { clock, sent, errors, start } = world()
  const first = start()
  first.sessions.noPolicy('them.example', 'sts-policy-invalid', 'x')
  first.sessions.noPolicy('nobody.example', 'sts-policy-invalid', 'x')
  await first.reports.stop()
  const second = start()
  const third = start()
  second.sessions.noPolicy('them.example', 'sts-policy-invalid', 'x')
  await clock.advance(23 * hour)
  expect(sent).toEqual([])
  await clock.advance(6 * hour)
  await clock.advance(24 * hour)
  expect(errors).toEqual([])
  expect(sent).toHaveLength(1)
  expect(sent[0]).toMatchObject({ sender: null, user: '.tls-reports', recipients: [{ notify: 'never' }] })
  expect(sent[0]?.recipients[0]?.to.wire).toBe(parseMailbox('reports@them.example')?.wire)
  await second.reports.stop()
  await third.reports.stop()
})
test('a queue that cannot take the report gets it again later', async () => {
  const { clock, sent, errors, start } = world()
  let failures = 0
  const { sessions, reports } = start({ fails: () => failures++ < 2 })
  sessions.refused({ fate: 'deferred', phase: 'tls', cause: 'of nobody' } satisfies Outcome)
  sessions.noPolicy('them.example', 'sts-policy-fetch-error', 'x')
  await clock.advance(30 * hour)
  expect([sent.length, errors.length]).toEqual([1, 2])
  await reports.stop()
})
test('without configuration there is nothing', () => {
  const { clock, kv } = world()
  const unused = { clock, kv } as unknown as Parameters<typeof reportTls>[1]
  expect(reportTls({ hostname, tlsReports: false }, unused)).toBeUndefined()
})
