import type { SiteKey } from '@posthorn/contracts'
import { connectQueue } from '@posthorn/queue-socket'
import { claimSample, enqueueSample, sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { expect, test, vi } from 'vitest'
import { cuttingProxy } from './cutting-proxy.ts'
import { afterTest, owner } from './rig.ts'

const chunk = new Uint8Array(64 * 1024).fill(97)
const MiB = 1024 * 1024

test('a store that is slow sets the pace of who writes, who then has no more than the window on its way', async () => {
  const waiting: (() => void)[] = []
  let taken = 0
  const o = await owner(queue => ({
    ...queue,
    begin: (size, id) => {
      const draft = queue.begin(size, id)
      return {
        ...draft,
        write: async piece => {
          taken += piece.byteLength
          await new Promise<void>(resolve => waiting.push(resolve))
          await draft.write(piece)
        },
      }
    },
  }))
  const queue = await o.connect()
  const draft = queue.begin()
  let written = 0
  const all = (async () => {
    for (let i = 0; i < 32; i++) {
      await draft.write(chunk)
      written += chunk.byteLength
    }
  })()
  await vi.waitFor(() => expect(waiting).toHaveLength(1))
  expect(written).toBeLessThanOrEqual(256 * 1024)
  expect(taken).toBe(chunk.byteLength)
  const pump = setInterval(() => {
    for (const resolve of waiting.splice(0)) resolve()
  }, 1)
  afterTest(() => clearInterval(pump))
  await all
  expect((await draft.end()).size).toBe(32 * chunk.byteLength)
  await draft.abort()
})

test('who reads slowly is sent no more than the window, and who stops reading nothing', async () => {
  const o = await owner()
  const proxy = await cuttingProxy(o.path)
  const queue = await connectQueue({ path: proxy.path, clock: o.clock })
  afterTest(() => queue.close())
  const draft = o.queue.begin()
  for (let i = 0; i < 64; i++) await draft.write(chunk)
  await draft.end()
  await draft.commit(sampleMessage())
  const [claim] = await claimSample(queue)
  const reading = claim?.body.open()[Symbol.asyncIterator]()
  proxy.cutAfter('toOwner', Infinity)
  await reading?.next()
  await vi.waitFor(() => expect(proxy.octetsToClient).toBeGreaterThanOrEqual(256 * 1024))
  // Anything else is answered meanwhile, and what is read on comes.
  expect(await queue.nextDue()).toBeDefined()
  expect(proxy.octetsToClient).toBeLessThan(300 * 1024)
  for (let i = 0; i < 8; i++) await reading?.next()
  await vi.waitFor(() => expect(proxy.octetsToClient).toBeGreaterThan(500 * 1024))
  await reading?.return?.(undefined)
  const before = proxy.octetsToClient
  expect(await queue.nextDue()).toBeDefined()
  expect(proxy.octetsToClient - before).toBeLessThan(300 * 1024)
})

test('a message of 100 MiB goes in and comes out without ever being in memory', async () => {
  const o = await owner()
  const queue = await o.connect()
  const before = process.memoryUsage().external
  let most = 0
  const look = (): void => void (most = Math.max(most, process.memoryUsage().external - before))
  const draft = queue.begin(100 * MiB)
  for (let i = 0; i < 1600; i++) {
    await draft.write(chunk)
    if (i % 16 === 0) look()
  }
  await draft.end()
  await draft.commit(sampleMessage())
  const [claim] = await claimSample(queue)
  let octets = 0
  for await (const piece of claim?.body.open() ?? []) {
    octets += piece.byteLength
    look()
  }
  expect(octets).toBe(100 * MiB)
  expect(most).toBeLessThan(80 * MiB)
})

test('commits of several processes share transactions', async () => {
  const o = await owner()
  const queues = await Promise.all([o.connect(), o.connect(), o.connect()])
  const before = { ...o.queue.stats }
  await Promise.all(queues.flatMap(queue => Array.from({ length: 100 }, () => enqueueSample(queue))))
  expect(o.queue.stats.operations - before.operations).toBe(300)
  expect(o.queue.stats.groups - before.groups).toBeLessThan(60)
})

test('each site is claimed by one member, and by another when that one goes', async () => {
  const o = await owner()
  const [one, two] = [await o.connect('1'), await o.connect('2')]
  await vi.waitFor(() => expect(o.server.members).toEqual(['1', '2']))
  const sites = Array.from({ length: 40 }, (_, i) => `mx:d${i}.test` as SiteKey)
  for (const site of sites)
    await enqueueSample(o.queue, sampleMessage({ recipients: [sampleRecipient('bob@there.test', { site })] }))
  await vi.waitFor(() => expect(sites.filter(site => one.mine(site) === two.mine(site))).toEqual([]))
  const [ours, theirs] = [await claimSample(one), await claimSample(two)]
  expect(ours.map(claim => claim.site)).toEqual(expect.arrayContaining(sites.filter(site => one.mine(site))))
  expect(ours.length + theirs.length).toBe(40)
  expect(Math.min(ours.length, theirs.length)).toBeGreaterThan(5)
  // Its leases are free, and its sites fall to who is left, who is told.
  let woken = 0
  one.onWake(() => woken++)
  await two.close()
  await vi.waitFor(() => expect(sites.every(site => one.mine(site))).toBe(true))
  expect(woken).toBeGreaterThan(0)
  await vi.waitFor(async () => expect((await claimSample(one)).length).toBe(theirs.length))
})
