import type { Envelope, Job, Outcome, QueueId, Resolver, Route, TlsNeed } from '@posthorn/contracts'
import { zoneResolver } from '@posthorn/dns'
import { bodyOf } from '@posthorn/message'
import type { Mail, Target } from '@posthorn/smtp-client'
import { seededRandom } from '@posthorn/testkit'
import type { HostPolicy, PolicyHost } from '@posthorn/tls-policy'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { site } from '../test/station.ts'
import { createSmtpTransport } from './smtp-transport.ts'
import type { SmtpTransportOptions } from './smtp-transport.ts'

const resolver = zoneResolver({
  'them.example': {
    mx: [
      [10, 'mx1.them.example'],
      [20, 'mx2.them.example'],
    ],
  },
  'mx1.them.example': { a: ['192.0.2.1'] },
  'mx2.them.example': { a: ['192.0.2.2'] },
  'signed.example': { mx: [[10, 'mx.signed.example']], secure: true },
  'mx.signed.example': { a: ['192.0.2.3'], secure: true },
  'null.example': { mx: [[0, '']] },
  'broken.example': { fails: 'servfail' },
  'home.example': { mx: [[10, 'localhost.example']] },
  'localhost.example': { a: ['127.0.0.1'] },
  'us.example': { mx: [[10, 'mx.us.example']] },
  'mx.us.example': { a: ['192.0.2.25'] },
  'many.example': { a: Array.from({ length: 30 }, (_, i) => `198.51.100.${i + 1}`) },
  'crowd.example': {
    mx: [
      [10, 'many.example'],
      [20, 'mx1.them.example'],
      [30, 'mx2.them.example'],
    ],
  },
  'dual.example': {
    a: ['198.51.100.1', '198.51.100.2', '198.51.100.3'],
    aaaa: ['2001:db8::1', '2001:db8::2', '2001:db8::3'],
  },
  'relay.example': { a: ['203.0.113.1'], aaaa: ['2001:db8::1'] },
})

const relayed: Outcome = { fate: 'relayed', phase: 'dot', cause: 'ok', reply: { code: 250, lines: ['ok'] } }
const refusedConnection: Outcome = { fate: 'deferred', phase: 'connect', cause: 'refused', status: '4.4.1' }
const said = (phase: Outcome['phase'], code: number, enhanced?: string): Outcome => ({
  fate: code < 500 ? 'deferred' : 'failed',
  phase,
  cause: String(code),
  reply: { code, lines: ['x'], ...(enhanced === undefined ? undefined : { enhanced }) },
})

type Answer = (to: Target, mail: Mail) => Outcome | readonly Outcome[]

const setup = (answer: Answer, over: Partial<SmtpTransportOptions> = {}) => {
  const sent: { readonly mail: Mail; readonly to: Target }[] = []
  const transport = createSmtpTransport({
    client: {
      send: async (mail, to) => {
        sent.push({ mail, to })
        const given = answer(to, mail)
        return 'fate' in given ? mail.recipients.map(() => given) : given
      },
    },
    resolver,
    self: { names: ['mx.us.example'], addresses: ['192.0.2.25'] },
    random: seededRandom(3),
    ...over,
  })
  return { transport, sent, hosts: () => sent.map(({ to }) => to.ip ?? to.path ?? to.host) }
}

const jobTo = (
  route: Route,
  o: {
    readonly to?: readonly string[]
    readonly envelope?: Partial<Envelope>
    readonly stillOurs?: () => boolean
  } = {},
): Job => ({
  id: 'q1' as QueueId,
  site: site('mx:them.example'),
  route,
  envelope: { returnPath: null, origin: 'mx', smtputf8: false, body: '7bit', requireTls: false, ...o.envelope },
  returnPath: mailbox('a@us.example'),
  recipients: (o.to ?? ['bob@them.example']).map(to => ({ to: mailbox(to), site: site('mx:them.example') })),
  body: bodyOf(new TextEncoder().encode('Subject: x\r\n\r\nx\r\n')),
  arrived: 0,
  stillOurs: o.stillOurs ?? (() => true),
})
const mx = (domain: string): Route => ({ via: 'mx', domain })
const { signal } = new AbortController()

describe('by MX', () => {
  it('goes to the best host with the name it is verified and spoken to by', async () => {
    const { transport, sent } = setup(() => relayed)
    const outcomes = await transport.deliver(
      jobTo(mx('them.example'), { envelope: { envid: 'e1', ret: 'hdrs', smtputf8: true, body: '8bitmime' } }),
      signal,
    )
    expect(outcomes).toEqual([relayed])
    expect(sent).toHaveLength(1)
    expect(sent[0]?.to).toMatchObject({
      protocol: 'smtp',
      host: 'mx1.them.example',
      ip: '192.0.2.1',
      port: 25,
      tls: { level: 'may', names: ['mx1.them.example'] },
    })
    expect(sent[0]?.mail).toMatchObject({
      returnPath: { wire: 'a@us.example' },
      envid: 'e1',
      ret: 'hdrs',
      smtputf8: true,
      eightBit: '8bitmime',
    })
  })
  it.each([
    ['the connection is refused', refusedConnection],
    ['the greeting is 554', said('banner', 554)],
    ['EHLO and HELO are refused', said('ehlo', 502)],
    ['MAIL is deferred', said('mail', 451, '4.3.0')],
    ['421 comes at RCPT', said('rcpt', 421)],
  ])('goes on to the next host when %s', async (_, first) => {
    const { transport, hosts } = setup(to => (to.ip === '192.0.2.1' ? first : relayed))
    expect(await transport.deliver(jobTo(mx('them.example')), signal)).toEqual([relayed])
    expect(hosts()).toEqual(['192.0.2.1', '192.0.2.2'])
  })
  it.each([
    ['a recipient is refused', said('rcpt', 550, '5.1.1')],
    ['a recipient is greylisted', said('rcpt', 450, '4.7.1')],
    ['the content is refused', said('dot', 554, '5.7.1')],
    ['its end is unknown', { fate: 'unknown', phase: 'dot', cause: 'lost' } as const],
  ])('stays with the host when %s', async (_, first) => {
    const { transport, hosts } = setup(() => first)
    expect(await transport.deliver(jobTo(mx('them.example')), signal)).toEqual([first])
    expect(hosts()).toEqual(['192.0.2.1'])
  })
  it('takes only those recipients to the next host that the first did not decide about', async () => {
    const { transport, sent } = setup(to =>
      to.ip === '192.0.2.1' ? [relayed, said('rcpt', 550, '5.1.1'), said('rcpt', 421)] : relayed,
    )
    const job = jobTo(mx('them.example'), { to: ['a@them.example', 'b@them.example', 'c@them.example'] })
    const fates = (await transport.deliver(job, signal)).map(outcome => outcome.fate)
    expect(fates).toEqual(['relayed', 'failed', 'relayed'])
    expect(sent[1]?.mail.recipients.map(r => r.to.wire)).toEqual(['c@them.example'])
  })
  it('ends as deferred when no host is reached, and as failed when all refuse to serve us', async () => {
    const down = setup(() => refusedConnection)
    expect(await down.transport.deliver(jobTo(mx('them.example')), signal)).toEqual([refusedConnection])
    const rude = setup(() => said('banner', 554))
    expect((await rude.transport.deliver(jobTo(mx('them.example')), signal))[0]?.fate).toBe('failed')
    const mixed = setup(to => (to.ip === '192.0.2.2' ? said('banner', 554) : refusedConnection))
    expect((await mixed.transport.deliver(jobTo(mx('them.example')), signal))[0]?.fate).toBe('deferred')
  })
  it('tries ten addresses and no more', async () => {
    const { transport, sent } = setup(() => refusedConnection)
    await transport.deliver(jobTo(mx('many.example')), signal)
    expect(sent).toHaveLength(10)
  })
  it('row 43: comes to the second host although the first has thirty addresses, and keeps the order of the hosts', async () => {
    const { transport, sent } = setup(() => refusedConnection)
    await transport.deliver(jobTo(mx('crowd.example')), signal)
    expect(sent.map(({ to }) => to.host)).toEqual([
      ...Array.from({ length: 8 }, () => 'many.example'),
      'mx1.them.example',
      'mx2.them.example',
    ])
  })
  it('takes IPv6 and IPv4 in turn', async () => {
    const { transport, hosts } = setup(() => refusedConnection)
    await transport.deliver(jobTo(mx('dual.example')), signal)
    const families = hosts().map(ip => (ip.includes(':') ? 6 : 4))
    expect(families).toHaveLength(6)
    expect(families.every((family, i) => i === 0 || family !== families[i - 1])).toBe(true)
  })
  it('gives the DNS’s word as the outcome when there is no host', async () => {
    const { transport, sent } = setup(() => relayed)
    const ends = async (domain: string): Promise<unknown> => (await transport.deliver(jobTo(mx(domain)), signal))[0]
    expect(await ends('nowhere.example')).toMatchObject({ fate: 'failed', phase: 'dns', status: '5.1.2' })
    expect(await ends('null.example')).toMatchObject({ fate: 'failed', phase: 'dns', status: '5.1.10' })
    expect(await ends('us.example')).toMatchObject({ fate: 'failed', phase: 'dns', status: '5.4.6' })
    expect(await ends('broken.example')).toMatchObject({ fate: 'deferred', phase: 'dns' })
    expect(sent).toEqual([])
  })
  it('row 43: an MX that is 127.0.0.1 is not talked to unless that is allowed', async () => {
    const strict = setup(() => relayed)
    expect((await strict.transport.deliver(jobTo(mx('home.example')), signal))[0]?.fate).toBe('failed')
    expect(strict.sent).toEqual([])
    const lab = setup(() => relayed, { allow: () => true, port: 2525 })
    await lab.transport.deliver(jobTo(mx('home.example')), signal)
    expect(lab.sent[0]?.to).toMatchObject({ ip: '127.0.0.1', port: 2525 })
  })
  it('row 36: an address literal of loopback is not talked to', async () => {
    const { transport, sent } = setup(() => relayed)
    for (const domain of ['[127.0.0.1]', '[IPv6:::1]', '[IPv6:::ffff:127.0.0.1]'])
      expect((await transport.deliver(jobTo(mx(domain)), signal))[0]?.fate).toBe('failed')
    expect(sent).toEqual([])
  })
  it('uses one target for one address, so that connections are found again', async () => {
    const { transport, sent } = setup(() => relayed)
    const route = mx('them.example')
    await transport.deliver(jobTo(route), signal)
    await transport.deliver(jobTo(route), signal)
    expect(sent[0]?.to).toBe(sent[1]?.to)
  })
  it('knows the exchanges of a domain and the TLS policy towards them', async () => {
    const { transport } = setup(() => relayed)
    const reach = async (domain: string) => transport.reach(domain, signal)
    expect(await reach('them.example')).toEqual({ mx: ['mx1.them.example', 'mx2.them.example'], tls: 'may' })
    expect((await reach('relay.example')).mx).toEqual(['relay.example'])
    expect((await reach('[192.0.2.1]')).mx).toEqual(['[192.0.2.1]'])
    const forHost = () => ({
      ok: true as const,
      need: { level: 'verify' as const, names: [], because: 'mta-sts' },
      vouched: true,
    })
    const strict = setup(() => relayed, { policies: { forHost } })
    expect((await strict.transport.reach('them.example', signal)).tls).toBe('verify (mta-sts)')
    for (const domain of ['nowhere.example', 'null.example', 'broken.example'])
      expect((await reach(domain)).mx).toEqual([])
  })
})

describe('TLS', () => {
  const handshake: Outcome = { fate: 'deferred', phase: 'tls', cause: 'handshake failed' }
  it('that was an opportunity and failed is done without, at the same host', async () => {
    const { transport, sent } = setup(to => (to.tls.level === 'may' ? handshake : relayed))
    expect(await transport.deliver(jobTo(mx('them.example')), signal)).toEqual([relayed])
    expect(sent.map(({ to }) => [to.ip, to.tls.level])).toEqual([
      ['192.0.2.1', 'may'],
      ['192.0.2.1', 'never'],
    ])
  })
  it('that was required is never done without', async () => {
    const { transport, sent } = setup(() => handshake)
    const route: Route = { via: 'smtp', host: '203.0.113.1', port: 587, tls: 'encrypt' }
    expect(await transport.deliver(jobTo(route), signal)).toEqual([handshake])
    expect(sent.map(({ to }) => to.tls.level)).toEqual(['encrypt'])
  })
  it.each(['5.7.30', '5.6.7', '5.6.3'])(
    'row 44: asks the next host when the first lacks what is needed (%s)',
    async status => {
      const lacking: Outcome = { fate: 'failed', phase: 'mail', cause: 'not offered', status }
      const { transport, hosts } = setup(to => (to.ip === '192.0.2.1' ? lacking : relayed))
      expect(await transport.deliver(jobTo(mx('them.example')), signal)).toEqual([relayed])
      expect(hosts()).toEqual(['192.0.2.1', '192.0.2.2'])
      const nowhere = setup(() => lacking)
      expect(await nowhere.transport.deliver(jobTo(mx('them.example')), signal)).toEqual([lacking])
    },
  )
  it('tells the next hop of the haste that the queue was asked for (RFC 6710)', async () => {
    const { transport, sent } = setup(() => relayed)
    for (const priority of [-3, 2, 0]) await transport.deliver({ ...jobTo(mx('them.example')), priority }, signal)
    expect(sent.map(({ mail }) => mail.priority)).toEqual([3, -2, undefined])
  })
  it('row 25: REQUIRETLS verifies, never goes in clear, and needs hosts that the DNS vouches for (RFC 8689 §4.2.1)', async () => {
    const { transport, sent } = setup(() => handshake)
    const envelope = { requireTls: true }
    expect((await transport.deliver(jobTo(mx('them.example'), { envelope }), signal))[0]).toMatchObject({
      fate: 'failed',
      status: '5.7.30',
    })
    expect(sent).toEqual([])
    expect(await transport.deliver(jobTo(mx('signed.example'), { envelope }), signal)).toEqual([handshake])
    expect(sent.map(({ to, mail }) => [to.tls.level, mail.requireTls])).toEqual([['verify', true]])
  })
  describe('under the policy of the domain', () => {
    const asks = (policy: (host: PolicyHost) => HostPolicy) => {
      const hosts: PolicyHost[] = []
      return { hosts, policies: { forHost: (_domain: string, host: PolicyHost) => (hosts.push(host), policy(host)) } }
    }
    const need = (level: TlsNeed['level'], because: string, vouched = true) =>
      asks(({ name }) => ({
        ok: true,
        need: { level, names: [name], because },
        vouched,
      }))
    const suppressed: Outcome = {
      fate: 'deferred',
      phase: 'tls',
      cause: 'TLS is required and not offered',
      status: '4.7.4',
    }
    const wish = (value: string): Job => ({
      ...jobTo(mx('them.example')),
      body: bodyOf(new TextEncoder().encode(`Subject: x\r\ntls-required:${value}\r\n\r\nTLS-Required: No\r\n`)),
    })

    it.each([
      ['dane', 'dane'],
      ['verify', 'mta-sts'],
      ['encrypt', 'dane'],
    ] as const)(
      'row 25: %s because of %s defers where STARTTLS is stripped, at every host, and never goes in clear',
      async (level, because) => {
        const { policies, hosts } = need(level, because)
        const { transport, sent } = setup(() => suppressed, { policies })
        expect(await transport.deliver(jobTo(mx('them.example')), signal)).toEqual([suppressed])
        expect(sent.map(({ to }) => to.tls)).toMatchObject([
          { level, because, names: ['mx1.them.example'] },
          { level, because, names: ['mx2.them.example'] },
        ])
        expect(hosts[0]).toEqual({ name: 'mx1.them.example', port: 25, named: false, secure: false })
      },
    )
    it('row 25: a message that requires TLS goes where MTA-STS or DANE vouches for the host, verified, and nowhere else', async () => {
      const job = jobTo(mx('them.example'), { envelope: { requireTls: true } })
      const vouched = setup(() => suppressed, need('verify', 'mta-sts'))
      expect(await vouched.transport.deliver(job, signal)).toEqual([suppressed])
      expect(vouched.sent.map(({ to }) => to.tls.level)).toEqual(['verify', 'verify'])
      const raised = setup(() => suppressed, need('encrypt', 'dane'))
      await raised.transport.deliver(job, signal)
      expect(raised.sent[0]?.to.tls).toMatchObject({ level: 'verify', because: 'requiretls' })
      const nobody = setup(() => relayed, need('may', 'opportunistic', false))
      expect(await nobody.transport.deliver(job, signal)).toMatchObject([{ fate: 'failed', status: '5.7.30' }])
      expect(nobody.sent).toEqual([])
    })
    it.each([
      ['row 45: that the MTA-STS policy does not name', 'tls'],
      ['row 43: whose TLSA records cannot be had', 'dns'],
    ] as const)('a host %s is passed over, and that is the outcome when none is left', async (_which, phase) => {
      const outcome: Outcome = { fate: 'deferred', phase, cause: 'not now', status: '4.7.5' }
      const { policies } = asks(({ name }) =>
        name === 'mx1.them.example'
          ? { ok: false, outcome }
          : { ok: true, need: { level: 'verify', names: [name], because: 'mta-sts' }, vouched: true },
      )
      const { transport, hosts } = setup(() => relayed, { policies })
      expect(await transport.deliver(jobTo(mx('them.example')), signal)).toEqual([relayed])
      expect(hosts()).toEqual(['192.0.2.2'])
      const none = setup(
        () => relayed,
        asks(() => ({ ok: false, outcome })),
      )
      expect(await none.transport.deliver(jobTo(mx('them.example')), signal)).toEqual([outcome])
      expect(none.sent).toEqual([])
    })
    it('TLS-Required: No sets aside what the recipient asks for (RFC 8689 §5), and not what the operator does', async () => {
      const levels = async (job: Job, o: ReturnType<typeof asks>) => {
        const { transport, sent } = setup(() => relayed, o)
        await transport.deliver(job, signal)
        return sent.map(({ to }) => `${to.tls.level} because of ${to.tls.because}`)
      }
      const refused = asks(() => ({ ok: false, outcome: suppressed }))
      expect(await levels(wish(' no '), need('dane', 'dane'))).toEqual(['may because of tls-required-no'])
      expect(await levels(wish('No'), refused)).toEqual(['may because of tls-required-no'])
      expect(await levels(wish('Yes'), need('dane', 'dane'))).toEqual(['dane because of dane'])
      expect(await levels(wish('No'), need('verify', 'configuration'))).toEqual(['verify because of configuration'])
      const both = { ...wish('No'), envelope: { ...wish('No').envelope, requireTls: true } }
      expect(await levels(both, need('verify', 'mta-sts'))).toEqual(['verify because of mta-sts'])
    })
    it('is not asked for a host that the operator named', async () => {
      const { policies, hosts } = need('dane', 'dane')
      const { transport, sent } = setup(() => relayed, { policies, authorities: () => ['PEM'] })
      await transport.deliver(jobTo({ via: 'smtp', host: 'relay.example', port: 587, tls: 'verify' }), signal)
      expect(hosts).toEqual([])
      expect(sent[0]?.to.tls).toMatchObject({ level: 'verify', ca: ['PEM'] })
    })
    it('is joined by our certificate for a host that is named, and for no exchanger', async () => {
      const certificate = { certPem: 'C', keyPem: 'K' }
      const { transport, sent } = setup(() => relayed, { certificate: () => certificate })
      await transport.deliver(jobTo({ via: 'smtp', host: 'relay.example', port: 587, tls: 'verify' }), signal)
      await transport.deliver(jobTo(mx('them.example')), signal)
      expect(sent.map(({ to }) => to.tls.certificate)).toEqual([certificate, undefined])
    })
    it('that has not changed leaves the target as it is, and one that has makes a new one', async () => {
      let asked: TlsNeed = { level: 'may', names: ['x'], because: 'opportunistic' }
      const { transport, sent } = setup(
        () => relayed,
        asks(() => ({ ok: true, need: asked, vouched: false })),
      )
      const job = jobTo(mx('them.example'))
      await transport.deliver(job, signal)
      await transport.deliver(job, signal)
      asked = { level: 'verify', names: ['x'], because: 'mta-sts' }
      await transport.deliver(job, signal)
      expect(sent[1]?.to).toBe(sent[0]?.to)
      expect(sent[2]?.to.tls).toBe(asked)
    })
  })
  it('to a next hop with credentials is verified, and without the secret nothing is sent', async () => {
    const route: Route = { via: 'smtp', host: 'relay.example', port: 587, credentials: 'isp' }
    const user = { user: 'us', password: 'secret' }
    const { transport, sent } = setup(() => relayed, { credentials: name => (name === 'isp' ? user : undefined) })
    await transport.deliver(jobTo(route), signal)
    expect(sent[0]?.to).toMatchObject({ credentials: user, tls: { level: 'verify', names: ['relay.example'] } })
    const without = setup(() => relayed)
    expect(await without.transport.deliver(jobTo(route), signal)).toMatchObject([{ fate: 'deferred', notTried: true }])
    expect(without.sent).toEqual([])
  })
})

describe('to a host', () => {
  it('of the configuration goes to its addresses, IPv4 first', async () => {
    const { transport, hosts, sent } = setup(() => refusedConnection)
    await transport.deliver(jobTo({ via: 'smtp', host: 'relay.example', port: 587, implicitTls: true }), signal)
    expect(hosts()).toEqual(['203.0.113.1', '2001:db8::1'])
    expect(sent[0]?.to).toMatchObject({ port: 587, implicitTls: true, host: 'relay.example' })
  })
  it('that the DNS does not know is left to the system', async () => {
    const { transport, sent } = setup(() => relayed)
    await transport.deliver(jobTo({ via: 'lmtp', host: 'localhost', port: 24 }), signal)
    await transport.deliver(jobTo({ via: 'smtp', host: 'box.lan.example', port: 25 }), signal)
    expect(sent.map(({ to }) => [to.protocol, to.host, to.ip])).toEqual([
      ['lmtp', 'localhost', undefined],
      ['smtp', 'box.lan.example', undefined],
    ])
  })
  it('may be a local socket', async () => {
    const { transport, sent } = setup(() => relayed)
    await transport.deliver(jobTo({ via: 'lmtp', host: '/run/lmtp', port: 24 }), signal)
    expect(sent[0]?.to).toMatchObject({ protocol: 'lmtp', path: '/run/lmtp' })
  })
})

describe('many recipients', () => {
  const to = Array.from({ length: 230 }, (_, i) => `u${i}@them.example`)
  it('go a hundred at a time', async () => {
    const { transport, sent } = setup(() => relayed)
    const outcomes = await transport.deliver(jobTo(mx('them.example'), { to }), signal)
    expect(sent.map(({ mail }) => mail.recipients.length)).toEqual([100, 100, 30])
    expect(outcomes).toHaveLength(230)
  })
  it('that are too many for the peer go in further transactions at once (RFC 5321 §4.5.3.1.10)', async () => {
    const { transport, sent } = setup((_, mail) =>
      mail.recipients.map((__, i) => (i < 40 ? relayed : said('rcpt', 452, '4.5.3'))),
    )
    const outcomes = await transport.deliver(jobTo(mx('them.example'), { to: to.slice(0, 90) }), signal)
    expect(outcomes.every(outcome => outcome.fate === 'relayed')).toBe(true)
    expect(sent.map(({ mail }) => mail.recipients.length)).toEqual([90, 50, 10])
  })
  it('row 44: of a peer that takes none of them are not sent again and again', async () => {
    const { transport, sent } = setup(() => said('rcpt', 452, '4.5.3'))
    const outcomes = await transport.deliver(jobTo(mx('them.example'), { to: to.slice(0, 90) }), signal)
    expect(outcomes.every(outcome => outcome.fate === 'deferred')).toBe(true)
    expect(sent).toHaveLength(1)
  })
  it('are not tried hundred by hundred at a host that is down', async () => {
    const { transport, hosts } = setup(() => refusedConnection)
    const outcomes = await transport.deliver(jobTo(mx('them.example'), { to }), signal)
    expect(hosts()).toEqual(['192.0.2.1', '192.0.2.2'])
    expect(outcomes).toHaveLength(230)
  })
})

describe('breaking off', () => {
  it('happens between hosts when the lease is lost or the signal says so', async () => {
    let ours = true
    const lost = setup(() => {
      ours = false
      return refusedConnection
    })
    await lost.transport.deliver(jobTo(mx('them.example'), { stillOurs: () => ours }), signal)
    expect(lost.sent).toHaveLength(1)
    const controller = new AbortController()
    const aborted = setup(() => {
      controller.abort()
      return refusedConnection
    })
    await aborted.transport.deliver(jobTo(mx('them.example')), controller.signal)
    expect(aborted.sent).toHaveLength(1)
  })
  it('is no reason to reject, and neither is a client or a resolver that throws', async () => {
    const thrown = setup(() => {
      throw new Error('bug')
    })
    expect(await thrown.transport.deliver(jobTo(mx('them.example')), signal)).toMatchObject([
      { fate: 'deferred', cause: 'bug' },
    ])
    const broken = { mx: () => Promise.reject(new Error('aborted')) } as unknown as Resolver
    const unresolved = setup(() => relayed, { resolver: broken })
    expect(await unresolved.transport.deliver(jobTo(mx('them.example')), signal)).toMatchObject([{ fate: 'deferred' }])
  })
})

describe('a time to be delivered by (RFC 2852 §4.1.4)', () => {
  const deliverBy = { at: 1000, mode: 'notify', trace: true } as const
  it('goes along, with whether the sender has been told that it is over', async () => {
    const { transport, sent } = setup(() => relayed)
    const job = jobTo(mx('them.example'), { envelope: { deliverBy } })
    await transport.deliver(job, signal)
    await transport.deliver({ ...job, warned: 999 }, signal)
    await transport.deliver({ ...job, warned: 1000 }, signal)
    await transport.deliver({ ...job, arrived: 1000 }, signal)
    await transport.deliver(jobTo(mx('them.example')), signal)
    const told = [false, false, true, true].map(told => ({ ...deliverBy, told }))
    expect(sent.map(({ mail }) => mail.deliverBy)).toEqual([...told, undefined])
  })
  it('ends with a list', async () => {
    const { transport, sent } = setup(() => relayed)
    const job = jobTo(mx('them.example'), { envelope: { deliverBy } })
    const recipients = job.recipients.map(r => ({ ...r, returnPath: mailbox('owner@us.example') }))
    await transport.deliver({ ...job, recipients }, signal)
    expect(sent[0]?.mail).not.toHaveProperty('deliverBy')
  })
  it('is what the next exchanger may know when the first does not', async () => {
    const late: Outcome = { fate: 'failed', phase: 'mail', cause: 'no DELIVERBY', status: '5.4.7' }
    const one = setup(({ ip }) => (ip === '192.0.2.1' ? late : relayed))
    const job = jobTo(mx('them.example'), { envelope: { deliverBy: { ...deliverBy, mode: 'return' } } })
    expect(await one.transport.deliver(job, signal)).toEqual([relayed])
    expect(one.hosts()).toEqual(['192.0.2.1', '192.0.2.2'])
    expect(await setup(() => late).transport.deliver(job, signal)).toEqual([late])
  })
})
