import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Owner } from '@posthorn/contracts'
import { openPostgresQueue } from '@posthorn/queue-postgres'
import type { PostgresOptions, PostgresQueue } from '@posthorn/queue-postgres'
import { systemClock, systemRandom } from '@posthorn/system'
import {
  claimSample,
  enqueueSample,
  manualClock,
  queueOutageCases,
  sampleMessage,
  sampleRecipient,
  seededRandom,
} from '@posthorn/testkit'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { until } from '../peers/command.ts'
import { postgresSuite } from '../peers/needs.ts'
import { startPostgresProxy } from '../peers/postgres-proxy.ts'
import type { PostgresProxy } from '../peers/postgres-proxy.ts'
import { startPostgres } from '../peers/postgres.ts'
import type { Postgres } from '../peers/postgres.ts'
import { teardown } from '../peers/teardown.ts'

const [first, second] = ['owner-1' as Owner, 'owner-2' as Owner]
const all = { and: [] }

postgresSuite('several nodes over one queue, and what can go wrong between them and the database', () => {
  const undo = teardown()
  let server: Postgres
  let proxy: PostgresProxy
  beforeAll(async () => {
    server = await startPostgres()
    undo(() => server.stop())
    const directory = mkdtempSync(join(tmpdir(), 'postgres-proxy-'))
    undo(() => rmSync(directory, { recursive: true, force: true }))
    proxy = await startPostgresProxy(directory, server.socket)
    undo(() => proxy.close())
  })

  const opened: PostgresQueue[] = []
  afterEach(async () => {
    for (const queue of opened.splice(0)) await queue.close()
  })
  const open = async (url: string, o: Partial<PostgresOptions> = {}): Promise<PostgresQueue> => {
    const queue = await openPostgresQueue({ url, clock: systemClock, random: systemRandom, ...o })
    opened.push(queue)
    return queue
  }
  const total = async (queue: PostgresQueue): Promise<number> => (await queue.count(all)).get('all') ?? 0
  const throughProxy = (url: string): string => proxy.url(new URL(url).pathname.slice(1))

  test('a message whose commit was done but not answered is answered 250, and is there once', async () => {
    const queue = await open(throughProxy(await server.database()))
    const draft = queue.begin()
    await draft.write(Buffer.from('Hello\r\n'))
    await queue.claim({ owner: first, sites: 1, perSite: 1, leaseMs: 1000 })
    proxy.loseReplyTo('insert into message')
    const claims = await draft.commit(sampleMessage(), { owner: first, leaseMs: 60_000 })
    expect(claims).toHaveLength(1)
    expect(await total(queue)).toBe(1)
    expect(await queue.settle(claims.map(lease => ({ lease, fate: { to: 'delivered' } })))).toEqual(['ok'])
  })

  test('a large message whose commit was not answered keeps its content', async () => {
    const queue = await open(throughProxy(await server.database()))
    const draft = queue.begin()
    const line = Buffer.from(`${'x'.repeat(998)}\r\n`)
    for (let i = 0; i < 2000; i++) await draft.write(line)
    await draft.end()
    proxy.loseReplyTo('insert into message')
    await draft.commit(sampleMessage())
    const [claim] = await claimSample(queue)
    let size = 0
    for await (const chunk of claim?.body.open() ?? []) size += chunk.byteLength
    expect(size).toBe(2_000_000)
  })

  test('a settlement whose commit was not answered is not stale: the server is asked what became of it', async () => {
    const queue = await open(throughProxy(await server.database()))
    const id = await enqueueSample(queue)
    const [claim] = await claimSample(queue)
    if (claim === undefined) throw new Error('nothing to claim')
    proxy.loseReplyTo('commit\0')
    expect(await queue.settle([{ lease: claim, fate: { to: 'delivered' } }])).toEqual(['ok'])
    expect((await queue.show(id))?.history.map(h => h.event)).toEqual(['received', 'delivered'])
  })

  test('a transaction whose connection is cut before its commit is done again', async () => {
    const queue = await open(throughProxy(await server.database()))
    await enqueueSample(queue)
    const [claim] = await claimSample(queue)
    if (claim === undefined) throw new Error('nothing to claim')
    proxy.loseReplyTo('delete from delivery')
    expect(await queue.settle([{ lease: claim, fate: { to: 'delivered' } }])).toEqual(['ok'])
    expect(await total(queue)).toBe(0)
  })

  test.each(queueOutageCases)('$name', { timeout: 60_000 }, async ({ run }) => {
    const queue = await open(throughProxy(await server.database()))
    const away = async (): Promise<void> => proxy.away()
    const back = async (): Promise<void> => proxy.back()
    await expect(run({ queue, away, back })).resolves.toBeUndefined()
  })

  test('what was answered 250 before a failover to a synchronous standby is there after it, and the queue goes on there', async () => {
    const primary = await startPostgres()
    undo(() => primary.stop())
    const url = await primary.database()
    const directory = mkdtempSync(join(tmpdir(), 'postgres-failover-'))
    undo(() => rmSync(directory, { recursive: true, force: true }))
    const between = await startPostgresProxy(directory, primary.socket)
    undo(() => between.close())
    const standby = await primary.standby()
    undo(() => standby.stop())
    const queue = await open(between.url(new URL(url).pathname.slice(1)))
    const kept: string[] = []
    const load = { going: true }
    const clients = Array.from({ length: 8 }, async () => {
      while (load.going)
        await enqueueSample(queue).then(
          id => kept.push(id),
          () => undefined,
        )
    })
    await until('some mail', () => kept.length > 200 || undefined)
    await primary.kill()
    between.away()
    await standby.promote()
    between.back(standby.socket)
    const before = kept.length
    await until('mail again', () => kept.length > before + 100 || undefined)
    load.going = false
    await Promise.all(clients)
    const claimed = await claimSample(queue, { perSite: 100_000 })
    const there = new Set(claimed.map(claim => claim.id as string))
    expect(there.size).toBe(claimed.length)
    expect(kept.filter(id => !there.has(id))).toEqual([])
    expect(await queue.settle(claimed.map(lease => ({ lease, fate: { to: 'delivered' } })))).toEqual(
      claimed.map(() => 'ok'),
    )
  }, 60_000)

  test('what was kept before the server was killed is there, once, and the queue goes on when it is back', async () => {
    const queue = await open(await server.database())
    const kept: string[] = []
    const refused: unknown[] = []
    const load = { going: true }
    const clients = Array.from({ length: 8 }, async () => {
      while (load.going)
        await enqueueSample(queue).then(
          id => kept.push(id),
          (error: unknown) => refused.push(error),
        )
    })
    await until('some mail', () => kept.length > 100 || undefined)
    await server.kill()
    await until('a refusal', () => refused.length > 0 || undefined)
    await server.start()
    const before = kept.length
    await until('mail again', () => kept.length > before + 100 || undefined)
    load.going = false
    await Promise.all(clients)
    expect(refused.filter(error => !(error instanceof Error && error.name === 'StoreError'))).toEqual([])
    const ids: string[] = []
    for (let after: string | undefined; ;) {
      const page = await queue.list(all, { limit: 1000, ...(after !== undefined && { after }) })
      ids.push(...page.rows.map(row => row.id))
      after = page.after
      if (after === undefined) break
    }
    expect(new Set(ids).size).toBe(ids.length)
    expect(kept.filter(id => !new Set<string>(ids).has(id))).toEqual([])
  })

  test('many ask at once with few connections, and all are served', async () => {
    const queue = await open(await server.database(), { connections: 2 })
    const kv = queue.keyValue('test')
    const asked = Array.from({ length: 200 }, (_, i) =>
      Promise.all([enqueueSample(queue), kv.add(`k${i % 3}`, 1, 1e6)]),
    )
    await Promise.all(asked)
    expect(await total(queue)).toBe(200)
    expect(Number(await kv.get('k0')) + Number(await kv.get('k1')) + Number(await kv.get('k2'))).toBe(200)
  })

  test('two nodes that claim at the same time never get the same delivery, and get all of them', async () => {
    const url = await server.database()
    const nodes = await Promise.all([open(url), open(url)])
    const [one, two] = nodes
    await Promise.all(
      Array.from({ length: 400 }, (_, i) =>
        enqueueSample(one, sampleMessage({ recipients: [sampleRecipient(`u${i}@d${i % 20}.test`)] })),
      ),
    )
    const seen: number[] = []
    const work = async (queue: PostgresQueue, owner: Owner): Promise<void> => {
      for (let idle = 0; idle < 3;) {
        const claims = await queue.claim({ owner, sites: 5, perSite: 3, leaseMs: 60_000 })
        idle = claims.length === 0 ? idle + 1 : 0
        seen.push(...claims.map(c => c.delivery))
        await queue.settle(claims.map(lease => ({ lease, fate: { to: 'relayed' } })))
      }
    }
    await Promise.all([work(one, first), work(two, second)])
    expect(seen).toHaveLength(400)
    expect(new Set(seen).size).toBe(400)
    expect(await total(two)).toBe(0)
  })

  test('two nodes settle the recipients of one message at the same time, and its content goes with the last', async () => {
    const url = await server.database()
    const [one, two] = [await open(url), await open(url)]
    const recipients = Array.from({ length: 60 }, (_, i) => sampleRecipient(`u${i}@d${i % 6}.test`))
    for (let i = 0; i < 5; i++) await enqueueSample(one, sampleMessage({ recipients }))
    const claims = await claimSample(one)
    expect(claims).toHaveLength(300)
    const halves = [claims.filter((_, i) => i % 2 === 0), claims.filter((_, i) => i % 2 === 1).reverse()]
    const settled = await Promise.all(
      halves.map((half, i) => (i === 0 ? one : two).settle(half.map(lease => ({ lease, fate: { to: 'relayed' } })))),
    )
    expect(settled.flat().every(result => result === 'ok')).toBe(true)
    expect(await server.sql(url, 'select count(*)::integer as n from posthorn.body')).toEqual([{ n: 0 }])
  })

  test('mail that one node takes in wakes another', async () => {
    const url = await server.database()
    const [one, two] = [await open(url), await open(url)]
    await until('an ear', async () => {
      const rows = await server.sql(
        url,
        `select 1 from pg_stat_activity where query like 'listen%' and datname = current_database()`,
      )
      return rows.length === 2 || undefined
    })
    let woken = 0
    two.onWake(() => woken++)
    const before = woken
    await enqueueSample(one)
    expect(await until('a wake-up', () => woken > before || undefined)).toBe(true)
  })

  /** Its database time is moved by the test, apart from the clocks of its nodes. */
  const world = async () => {
    const url = await server.database()
    await (await openPostgresQueue({ url, clock: manualClock(), random: seededRandom(1) })).close()
    const start = manualClock().wall()
    await server.sql(
      url,
      `create table posthorn.clock(now bigint); insert into posthorn.clock values(${start});
       create or replace function posthorn.now_ms() returns bigint language sql volatile as $$ select now from posthorn.clock $$`,
    )
    const moveTo = async (wall: number): Promise<void> => {
      await server.sql(url, `update posthorn.clock set now = ${wall}`)
    }
    return { url, start, moveTo }
  }

  test('the leases of a node that is heard of no more go to the others, and it may settle nothing then', async () => {
    const { url, start, moveTo } = await world()
    // Its clock stands still, and with it its heart.
    const dead = await open(url, { clock: manualClock(), random: seededRandom(2), takeoverMs: 10_000 })
    const alive = await open(url, { clock: manualClock(), random: seededRandom(3), takeoverMs: 10_000 })
    await enqueueSample(dead)
    const [lost] = await claimSample(dead, { owner: first, leaseMs: 3_600_000 })
    if (lost === undefined) throw new Error('nothing to claim')
    await moveTo(start + 9_999)
    expect(await claimSample(alive, { owner: second })).toEqual([])
    expect(await alive.nextDue()).toBe(start + 10_000 - (await skewOf(alive)))
    await moveTo(start + 10_000)
    expect((await claimSample(alive, { owner: second })).map(c => c.id)).toEqual([lost.id])
    expect(await dead.settle([{ lease: lost, fate: { to: 'delivered' } }])).toEqual(['stale'])
  })
  /** None of the manual clocks moves, so the database runs ahead of them. */
  const skewOf = async (queue: PostgresQueue): Promise<number> => {
    const id = await enqueueSample(queue, sampleMessage({ held: 'a look at the clock' }))
    const rows = (await queue.list({ and: [{ field: 'id', op: '=', value: id }] }, { limit: 1 })).rows
    return 9_999 - ((rows[0]?.arrived ?? 0) - manualClock().wall())
  }

  test('a node that starts again has its earlier leases back at once', async () => {
    const { url } = await world()
    const clock = manualClock()
    const before = await open(url, { clock, random: seededRandom(2), node: 'mx1' })
    await enqueueSample(before)
    expect(await claimSample(before, { owner: first })).toHaveLength(1)
    const after = await open(url, { clock, random: seededRandom(3), node: 'mx1' })
    expect(await claimSample(after, { owner: second })).toHaveLength(1)
  })

  test('a node whose clock is an hour wrong neither delays mail nor hurries it', async () => {
    const { url, start } = await world()
    const right = await open(url, { clock: manualClock(), random: seededRandom(2) })
    for (const off of [-3_600_000, 3_600_000]) {
      const clock = manualClock({ wall: start + off })
      const wrong = await open(url, { clock, random: seededRandom(3) })
      await enqueueSample(wrong)
      const [claim] = await claimSample(right)
      expect(claim?.arrived).toBe(start)
      if (claim !== undefined) await right.release([claim], start, 'no room')
      const [mine] = await claimSample(wrong)
      expect(mine?.arrived).toBe(start + off)
      const due = clock.wall() + 300_000
      if (mine !== undefined) await wrong.settle([{ lease: mine, fate: { to: 'retry', due, why: 'later' } }])
      expect([await wrong.nextDue(), await right.nextDue()]).toEqual([due, start + 300_000])
      expect(await right.change(all, { do: 'drop' }, 'test')).toBe(1)
      await claimSample(right)
    }
  })

  test('nodes that start at the same time on an empty database make its tables once', async () => {
    const url = await server.database()
    const queues = await Promise.all(Array.from({ length: 5 }, () => open(url)))
    expect(await Promise.all(queues.map(total))).toEqual([0, 0, 0, 0, 0])
  })

  test('tables of the release before are brought up to date with all that they hold', async () => {
    const url = await server.database()
    const before = await open(url)
    await enqueueSample(before)
    await before.close()
    await server.sql(
      url,
      `alter table posthorn.delivery drop column interrupted; update posthorn.meta set value = 1 where key = 'schema'`,
    )
    const queues = await Promise.all(Array.from({ length: 3 }, () => open(url)))
    const [queue] = queues
    if (queue === undefined) throw new Error('none is open')
    const [claim] = await claimSample(queue)
    expect(claim?.to.to.wire).toBe('bob@there.test')
    expect(await queue.disown({ owner: first })).toBe(1)
    expect(await claimSample(queue)).toHaveLength(1)
  })

  test('tables of a newer release are refused in words, and a database that is not there with a StoreError', async () => {
    const url = await server.database()
    await (await open(url)).close()
    await server.sql(url, `update posthorn.meta set value = 99 where key = 'schema'`)
    await expect(open(url)).rejects.toThrow('start the release that wrote it')
    await expect(open(url.replace(/mail\d+/, 'nowhere'))).rejects.toThrow('nowhere')
  })

  test('a message that the database refuses fails alone, and NUL octets are no reason to', async () => {
    const queue = await open(await server.database())
    const bad = { recipients: [sampleRecipient('bob@there.test', { due: 1e300 })] }
    const results = await Promise.allSettled([
      enqueueSample(queue, sampleMessage({ facts: { 'a\0b': 'c\0d' }, tags: ['c\0d'] })),
      enqueueSample(queue, sampleMessage(bad)),
      enqueueSample(queue),
    ])
    expect(results.map(r => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { name: 'StoreError', full: false } })
    const [claim] = await claimSample(queue)
    if (claim === undefined) throw new Error('nothing to claim')
    const reply = { code: 451, lines: ['odd\0'] }
    const attempt = { at: 1, phase: 'rcpt', reply, cause: 'x\0y', ms: 1 }
    const fate = { to: 'retry', due: 0, why: 'z\0' } as const
    expect(await queue.settle([{ lease: claim, fate, attempt }])).toEqual(['ok'])
  })
})
