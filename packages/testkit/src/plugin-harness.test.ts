import { describe, expect, test } from 'vitest'
import { definePlugin, pass, permit, policyFailure, slot } from '@posthorn/plugin'
import { defer, reject } from '@posthorn/reply'
import { keyValueContract, manualClock, memoryKeyValue, messageOf, testPlugin } from './index.ts'

const no = reject(550, '5.7.1', 'No')

const greylist = definePlugin({
  name: 'greylist',
  setup: ({ kv }) => ({
    rcpt: async ({ to }, { ip, sender }) => {
      const key = `${ip} ${sender?.wire ?? ''} ${to.wire}`
      if ((await kv.get(key)) !== undefined) return pass
      await kv.set(key, true, 60_000)
      return defer(451, '4.7.1', 'Try again later')
    },
  }),
})

describe('a plugin in its harness', () => {
  test('is asked as by a session, with no socket in between', async () => {
    const h = await testPlugin(greylist)
    expect(await h.rcpt('bob@example.org')).toMatchObject({ code: 451 })
    expect(await h.rcpt('bob@example.org')).toBe(pass)
    await h.clock.advance(60_000)
    expect(await h.rcpt('bob@example.org')).toMatchObject({ code: 451 })
    expect(h.verdicts).toHaveLength(2)
  })

  test('sees the dialogue so far', async () => {
    const seen: unknown[] = []
    const h = await testPlugin({
      name: 'nosy',
      setup: () => ({
        connect: ({ ip }, c) => (seen.push(ip, c.service), pass),
        ehlo: name => (seen.push(name), pass),
        auth: ({ user, ok }) => (seen.push(user, ok), pass),
        mail: (sender, c) => (seen.push(sender?.wire, c.helo, c.user), pass),
        rcpt: ({ to, notify }) => (seen.push(to.wire, notify), permit),
        data: rcpts => (seen.push(rcpts.length), pass),
        headers: headers => (seen.push(headers.first('subject')), pass),
        message: ({ body }, c) => (seen.push(body.size, c.accepted.length), { hold: 'why' }),
      }),
    })
    await h.connect({ ip: '2001:db8::1', service: 'submission' })
    await h.ehlo('mua.example')
    await h.auth('alice')
    await h.mail('alice@example.org')
    expect(await h.rcpt('bob@example.org', { notify: 'never' })).toBe(permit)
    await h.data()
    const text = 'Subject: hello\n\nbody\n'
    await h.headers(text)
    expect(await h.message(text)).toEqual({ hold: 'why' })
    expect(seen).toEqual([
      '2001:db8::1',
      'submission',
      'mua.example',
      'alice',
      true,
      'alice@example.org',
      'mua.example',
      'alice',
      'bob@example.org',
      'never',
      1,
      'hello',
      6,
      1,
    ])
  })

  test('begins anew with each mail, and from scratch with each connection', async () => {
    const h = await testPlugin({ name: 'a', setup: () => ({ rcpt: ({ to }) => (to.local === 'no' ? no : pass) }) })
    await h.rcpt('yes@example.org')
    await h.rcpt('no@example.org')
    expect(h.transaction.accepted).toHaveLength(1)
    expect(await h.mail(null)).toBe(pass)
    expect(h.transaction).toMatchObject({ sender: null, accepted: [] })
    await h.auth('alice')
    await h.connect('192.0.2.9')
    expect(h.connection).toMatchObject({ ip: '192.0.2.9', user: undefined })
  })

  test('is asked about the queue and the way out', async () => {
    const h = await testPlugin(
      {
        name: 'a',
        setup: host => ({
          resolve: ({ to }) => ({ mailbox: to.local }),
          stamp: (_, c) => ({ tags: [c.origin, ...c.rcpts.map(r => r.to.local)] }),
          seal: () => undefined,
          returnPath: r => r.to,
          route: (_, c) => ({ via: 'smtp', host: c.site, port: 25 }),
          egress: ({ mx }) => ({ concurrency: mx.length }),
          attempt: (_, c) => (c.tries > 2 ? { wait: 5, why: 'x' } : pass),
          settled: (o, c) => host.pause(c.site, 1000, o.cause),
        }),
      },
      { origin: 'submission' },
    )
    expect(await h.resolve('bob@example.org')).toEqual({ mailbox: 'bob' })
    await h.rcpt('bob@example.org')
    expect(await h.stamp('A: b\n\n')).toMatchObject([{ tags: ['submission', 'bob'] }])
    expect(await h.seal(messageOf('A: b\n\n'))).toEqual([])
    expect(await h.returnPath('bob@example.org')).toMatchObject({ wire: 'bob@example.org' })
    expect(await h.route('bob@example.org')).toEqual({ via: 'smtp', host: 'mx:example.org', port: 25 })
    expect(await h.egress('mx:example.org', ['a', 'b'])).toEqual({ concurrency: 2 })
    expect(await h.attempt('bob@example.org')).toBe(pass)
    expect(await h.attempt('bob@example.org', undefined, { tries: 3 })).toEqual({ wait: 5, why: 'x' })
    h.settled('bob@example.org', { fate: 'deferred', cause: '4.7.x' })
    expect(h.paused).toEqual([{ site: 'mx:example.org', ms: 1000, why: '4.7.x' }])
  })

  test('finds DNS, slots of others, a next hop and a log around it', async () => {
    const spf = slot<string>('spf')
    const h = await testPlugin(
      {
        name: 'a',
        setup: ({ dns, log, probe, inject }) => ({
          mail: async (sender, c) => {
            const found = await dns.txt(sender?.domain ?? '', c.signal)
            const missing = await dns.mx('nowhere.example')
            const down = await dns.a('down.example')
            const empty = await dns.a('example.com')
            log('info', 'found', { spf: c.get(spf) ?? null, txt: found.ok && found.records[0] === 'v=spf1 -all' })
            log('info', 'why', { a: missing.ok || missing.why, b: down.ok || down.why, c: empty.ok || empty.why })
            if (sender) await probe(sender, c.signal)
            if (sender)
              await inject({
                origin: 'api',
                sender: null,
                rcpts: [{ to: sender }],
                bytes: messageOf('A: b').body.open(),
              })
            return pass
          },
        }),
      },
      { slots: s => s.set(spf, 'fail'), dns: { 'example.com': { txt: ['v=spf1 -all'] }, 'down.example': 'servfail' } },
    )
    expect(await h.mail('a@example.com')).toBe(pass)
    expect(h.logs.map(l => l.fields)).toEqual([
      { spf: 'fail', txt: true },
      { a: 'nxdomain', b: 'servfail', c: 'nodata' },
    ])
    expect(h.probed).toMatchObject([{ wire: 'a@example.com' }])
    expect(h.injected).toMatchObject([{ origin: 'api', rcpts: [{ to: { wire: 'a@example.com' } }] }])
  })

  test('that fails counts as in a server, and says what it threw', async () => {
    const bug = new Error('bug')
    const h = await testPlugin({
      name: 'a',
      setup: () => ({ mail: () => Promise.reject(bug), route: () => Promise.reject(bug) }),
    })
    expect(await h.mail('a@example.com')).toBe(policyFailure)
    expect(await h.route('a@example.com')).toEqual({ failed: true, plugin: 'a' })
    expect(h.errors).toEqual([bug, bug])
  })

  test('that hangs is late when the clock says so, and its signal aborts', async () => {
    let signal: AbortSignal | undefined
    const h = await testPlugin(
      { name: 'a', setup: () => ({ mail: (_, c) => ((signal = c.signal), new Promise<typeof pass>(() => {})) }) },
      { deadlineMs: 100 },
    )
    const answer = h.mail('a@example.com')
    await h.clock.advance(100)
    expect(await answer).toBe(policyFailure)
    expect(signal?.aborted).toBe(true)
  })

  test('is told that the client has gone, and stopped', async () => {
    const told: string[] = []
    const h = await testPlugin({
      name: 'a',
      setup: ({ signal }) => {
        signal.addEventListener('abort', () => told.push('aborted'))
        return { closed: ({ error }) => void told.push(error?.message ?? 'in order') }
      },
      stop: () => void told.push('stopped'),
    })
    h.closed(new Error('reset'))
    h.closed()
    await h.stop()
    expect(told).toEqual(['reset', 'in order', 'aborted', 'stopped'])
  })

  test('an address that is none is a mistake of the test', async () => {
    const h = await testPlugin(greylist)
    await expect(h.rcpt('no address')).rejects.toThrow(TypeError)
  })
})

describe('the KeyValue of the harness', () => {
  test.each(keyValueContract)('$name', async ({ run }) => {
    const clock = manualClock()
    const world = {
      one: memoryKeyValue(clock),
      other: memoryKeyValue(clock),
      advance: (ms: number) => clock.advance(ms),
    }
    await expect(run(world)).resolves.toBeUndefined()
  })
})
