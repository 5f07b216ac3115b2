import type { Claim, Handoff, Owner, SiteKey } from '@posthorn/contracts'
import { expect, test } from 'vitest'
import { checkConfig } from './config.ts'
import { ownSites, shareOf } from './worker-share.ts'

const site = (name: string): SiteKey => name as SiteKey
const worker = { number: 1, of: 3, mine: (s: SiteKey) => s === 'mx:ours.example' }

test('what is limited in all is divided among the workers, rounded up; what is limited for one site or for one message is not', () => {
  const config = checkConfig({
    hostname: 'mx.example.org',
    workers: 3,
    limits: { connections: 1000, connectionsPerAddress: 2 },
    concurrency: { total: 100, perSite: 20 },
    bounces: { successesPerHour: 60 },
    sites: {
      '*.example.net': { connections: 4, rate: '100/min', recipients: 50 },
      'mx:example.com': { connections: 4, rate: '100/min' },
      '2001:db8::19': { connections: 4 },
    },
  })
  expect(shareOf(config, worker)).toMatchObject({
    limits: { connections: 334, connectionsPerAddress: 1, recipients: config.limits.recipients },
    concurrency: { total: 34, perSite: 20 },
    bounces: { successesPerHour: 20 },
    sites: {
      '*.example.net': { connections: 2, rate: { messages: 100, ms: 180_000 }, recipients: 50 },
      'mx:example.com': { connections: 4, rate: { messages: 100, ms: 60_000 } },
      '2001:db8::19': { connections: 2 },
    },
  })
})

test('a worker takes fresh mail for its own sites and for what stays here, and no other', () => {
  const taken: (readonly Claim[])[] = []
  const dispatcher: Handoff = {
    owner: 'me' as Owner,
    leaseMs: 1000,
    wants: sites => !sites.includes(site('local:full')),
    take: claims => void taken.push(claims),
  }
  const own = ownSites(dispatcher, worker)
  expect([own.owner, own.leaseMs]).toEqual(['me', 1000])
  expect(own.wants([site('mx:ours.example'), site('local:bob'), site('trap:')])).toBe(true)
  expect(own.wants([site('mx:ours.example'), site('mx:theirs.example')])).toBe(false)
  expect(own.wants([site('local:full')])).toBe(false)
  own.take([])
  expect(taken).toEqual([[]])
})

test.each([0, 65, 1.5, '2'])('%j workers are refused with what is allowed', workers => {
  expect(() => checkConfig({ hostname: 'mx.example.org', workers })).toThrow(/^workers: /)
})
