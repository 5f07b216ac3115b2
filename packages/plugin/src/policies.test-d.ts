/** Twelve real policies, to prove that the hook map can say them. Types only: none is a finished plugin. */
import { expectTypeOf, test } from 'vitest'
import type { Mailbox } from '@posthorn/address'
import type { SiteKey } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { defer, reject } from '@posthorn/reply'
import { definePlugin, pass, slot } from './index.ts'
import type { Plugin, Recipient, Slot } from './index.ts'

const greylist = definePlugin({
  name: 'greylist',
  setup: ({ kv }) => ({
    rcpt: {
      order: 'late',
      run: async ({ to }, c) => {
        const key = `${c.ip} ${c.sender?.domain ?? ''} ${to.wire}`
        if ((await kv.get(key)) !== undefined) return pass
        await kv.swap(key, undefined, 1, 300_000)
        return defer(451, '4.7.1', 'Try again later')
      },
    },
  }),
})

const spf: Slot<'pass' | 'fail'> = slot('spf')
const dkim: Slot<readonly string[]> = slot('dkim')
const dmarc = definePlugin({
  name: 'dmarc',
  after: ['spf', 'dkim'],
  setup: ({ dns }) => ({
    message: async ({ headers }, c) => {
      if (headers.count('from') !== 1) return reject(550, '5.7.1', 'One From is required')
      const policy = await dns.txt(`_dmarc.${headers.first('from')}`, c.signal)
      if (!policy.ok) return policy.why === 'servfail' ? defer(451, '4.7.1', 'DNS') : pass
      if (c.get(spf) === 'pass' || c.get(dkim)?.length) return pass
      return policy.records.join().includes('p=quarantine') ? { hold: 'dmarc' } : reject(550, '5.7.1', 'DMARC')
    },
  }),
})

const srs = (tag: (m: Mailbox) => Mailbox): Plugin =>
  definePlugin({
    name: 'srs',
    setup: () => ({ returnPath: (_r, c) => (c.sender && c.origin === 'mx' ? tag(c.sender) : undefined) }),
  })

const throttle = definePlugin({
  name: 'throttle',
  setup: host => ({
    egress: ({ mx }) =>
      mx.some(h => h.endsWith('.google.com')) ? { lane: 'google', concurrency: 20, perSecond: 50 } : undefined,
    settled: async (o, c) => {
      if (o.reply?.enhanced?.startsWith('4.7.')) await host.pause(c.site, 300_000, '4.7.x')
    },
  }),
})

const callout = definePlugin({
  name: 'callout',
  setup: ({ kv, probe }) => ({
    resolve: {
      order: 'late',
      run: async ({ to }, c) => {
        const backend = { transport: 'backend', arg: '' }
        if ((await kv.get(to.wire)) === 'yes') return backend
        const outcome = await probe(to, c.signal)
        if (outcome.fate === 'failed') return reject(550, '5.1.1', 'No such mailbox')
        if (outcome.fate !== 'delivered') return defer(450, '4.1.1', 'Cannot verify now')
        await kv.set(to.wire, 'yes', 3_600_000)
        return backend
      },
    },
  }),
})

const quarantine = definePlugin({
  name: 'quarantine',
  setup: () => ({ message: ({ headers }) => (headers.count('x-spam') > 0 ? { hold: 'spam' } : pass) }),
})

const archive = (to: Mailbox): Plugin =>
  definePlugin({
    name: 'archive',
    setup: () => ({
      stamp: (_m, c) =>
        c.origin === 'bounce' ? undefined : { addRecipients: [{ to, notify: 'never', returnPath: null }] },
    }),
  })

const sign = (keys: ReadonlyMap<string, (b: ReturnType<Body['open']>) => Promise<string>>): Plugin =>
  definePlugin({
    name: 'dkim-sign',
    setup: () => ({
      seal: async (m, c) => {
        const key = keys.get(c.sender?.domain ?? '')
        return key ? { prepend: [['DKIM-Signature', await key(m.body.open(c.signal))]] } : undefined
      },
    }),
  })

const smarthost = (by: ReadonlyMap<string, string>): Plugin =>
  definePlugin({
    name: 'smarthost',
    setup: () => ({
      route: (_r, c) => {
        const host = by.get(c.sender?.domain ?? '')
        return host === undefined ? undefined : { via: 'smtp', host, port: 587, credentials: host, tls: 'verify' }
      },
    }),
  })

const list = (members: readonly Recipient[], owner: Mailbox): Plugin =>
  definePlugin({
    name: 'list',
    setup: () => ({ resolve: ({ to }) => (to.local === 'dev' ? { transport: 'list', arg: 'dev' } : undefined) }),
    provides: {
      transports: {
        list: async (_arg, m, c, host) => {
          await host.inject({ origin: 'list', sender: owner, rcpts: members, bytes: m.body.open(c.signal) })
          return { fate: 'expanded', phase: 'local', cause: 'list dev' }
        },
      },
    },
  })

const catchAll = (mailbox: string): Plugin =>
  definePlugin({ name: 'catch-all', setup: () => ({ resolve: { order: 'late', run: () => ({ mailbox }) } }) })

const batv = (tag: (m: Mailbox) => Mailbox, check: (m: Mailbox) => Mailbox | undefined): Plugin =>
  definePlugin({
    name: 'batv',
    setup: () => ({
      returnPath: (_r, c) => (c.sender && c.user ? tag(c.sender) : undefined),
      resolve: ({ to }, c) => {
        const plain = check(to)
        if (plain) return { expand: [{ to: plain }] }
        return c.sender === null ? reject(550, '5.7.1', 'Not our bounce') : undefined
      },
    }),
  })

test('twelve real policies compile', () => {
  expectTypeOf([greylist, dmarc, throttle, callout, quarantine]).items.toEqualTypeOf<Plugin>()
  expectTypeOf([srs, archive, sign, smarthost, list, catchAll, batv]).items.returns.toEqualTypeOf<Plugin>()
  expectTypeOf<SiteKey>().toExtend<string>()
})
