import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import type { Owner as OwnerName, QueueId } from '@posthorn/contracts'
import { connectQueue, type SocketQueue } from '@posthorn/queue-socket'
import { claimSample, enqueueSample, sampleMessage, sampleOwner, textOf } from '@posthorn/testkit'
import { describe, expect, test, vi } from 'vitest'
import { cuttingProxy, type CuttingProxy } from './cutting-proxy.ts'
import { afterTest, owner, type Owner } from './rig.ts'

const large = new Uint8Array(400_000).fill(97)
const small = new Uint8Array(400).fill(97)

/** Begin, write and commit as an intake does, leased to its dispatcher. */
const commit = async (queue: SocketQueue, content: Uint8Array, told: (id: QueueId) => void): Promise<void> => {
  const draft = queue.begin(content.byteLength)
  told(draft.id)
  try {
    for (let at = 0; at < content.byteLength; at += 30_000) await draft.write(content.subarray(at, at + 30_000))
    await draft.end()
    await draft.commit(sampleMessage(), { owner: sampleOwner, leaseMs: 60_000 })
  } catch (error) {
    await draft.abort()
    throw error
  }
}

const through = async (o: Owner, proxy: CuttingProxy): Promise<SocketQueue> => {
  const queue = await connectQueue({ path: proxy.path, clock: o.clock })
  afterTest(() => queue.close())
  return queue
}

/** The connection is there again. */
const reconnected = async (o: Owner, queue: SocketQueue): Promise<void> => {
  await vi.waitFor(async () => {
    await o.clock.advance(2_000)
    queue.newId()
  })
}

describe.each([
  ['small', small, 1],
  ['large', large, 9],
])('a commit of a %s message', (_name, content, frames) => {
  const cuts = (['toOwner', 'toClient'] as const).flatMap(way =>
    Array.from({ length: way === 'toOwner' ? frames : 3 }, (_, n) => [way, n] as const),
  )
  test.each(cuts)('that is cut off %s after %i frames is never taken for done unless it is', async (way, n) => {
    const o = await owner()
    const proxy = await cuttingProxy(o.path)
    const queue = await through(o, proxy)
    proxy.cutAfter(way, n)
    let id = ''
    const outcome = await commit(queue, content, given => (id = given)).then(
      () => 'done',
      (error: Error) => error.name,
    )
    const present = async (): Promise<boolean> => (await o.queue.show(id as QueueId)) !== undefined
    expect([outcome, outcome === 'done' ? await present() : 'maybe']).toEqual(
      outcome === 'done' ? ['done', true] : ['StoreError', 'maybe'],
    )
    // Whatever became of it: nothing is leased to the connection that is gone, and no half of it lies about.
    proxy.cutAfter('toOwner', Infinity)
    proxy.cut()
    await vi.waitFor(async () => {
      const claimed = await claimSample(o.queue, { owner: 'the other' as OwnerName })
      const spooled = readdirSync(join(dirname(o.path), 'spool'), { recursive: true, withFileTypes: true })
      expect(spooled.filter(entry => entry.isFile())).toHaveLength(claimed.length > 0 && content === large ? 1 : 0)
      expect(claimed).toHaveLength((await present()) ? 1 : 0)
      for (const claim of claimed) expect(await textOf(claim.body)).toHaveLength(content.byteLength)
      await o.queue.release(claimed, o.clock.wall(), 'looked at')
    })
    // And the next one goes through.
    await reconnected(o, queue)
    await commit(queue, content, given => (id = given))
    expect(await present()).toBe(true)
  })
})

test('a commit whose answer is lost fails although the message is in the queue', async () => {
  const o = await owner()
  const proxy = await cuttingProxy(o.path)
  const queue = await through(o, proxy)
  proxy.cutAfter('toClient', 0)
  let id = ''
  await expect(commit(queue, small, given => (id = given))).rejects.toMatchObject({ name: 'StoreError', full: false })
  expect(await o.queue.show(id as QueueId)).toMatchObject({ size: small.byteLength })
})

test('when a process dies, what it had leased is free at once, and it settles nothing later', async () => {
  const o = await owner()
  const proxy = await cuttingProxy(o.path)
  const queue = await through(o, proxy)
  await enqueueSample(o.queue)
  const [lease] = await claimSample(queue)
  expect(lease).toBeDefined()
  expect(await claimSample(o.queue)).toEqual([])
  proxy.cut()
  await vi.waitFor(async () => expect(await claimSample(o.queue)).toHaveLength(1))
  await reconnected(o, queue)
  expect(lease && (await queue.settle([{ lease, fate: { to: 'delivered' } }]))).toEqual(['stale'])
})

test('while the owner is away everything is a temporary failure, and afterwards all is there', async () => {
  const o = await owner()
  const queue = await o.connect()
  const id = await enqueueSample(queue)
  const draft = queue.begin()
  let woken = 0
  queue.onWake(() => woken++)
  const restarted = o.restart()
  await vi.waitFor(() =>
    expect(() => queue.begin()).toThrow(expect.objectContaining({ name: 'StoreError', full: false })),
  )
  await expect(queue.claim({ owner: sampleOwner, sites: 1, perSite: 1, leaseMs: 1 })).rejects.toMatchObject({
    name: 'StoreError',
  })
  await expect(queue.keyValue('x').get('y')).rejects.toMatchObject({ name: 'StoreError' })
  await restarted
  woken = 0
  await reconnected(o, queue)
  expect(woken).toBeGreaterThan(0)
  // Begun in another life.
  await expect(draft.commit(sampleMessage())).rejects.toMatchObject({ name: 'StoreError' })
  expect((await claimSample(queue)).map(claim => claim.id)).toEqual([id])
  expect(o.events.map(e => e.name)).toContain('queue.recovered')
})

const frame = (kind: number, json: string, o: { readonly id?: number; readonly jsonLength?: number } = {}): Buffer => {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(9 + json.length, 0)
  head.writeUInt8(kind, 4)
  head.writeUInt32BE(o.id ?? 1, 5)
  head.writeUInt32BE(o.jsonLength ?? json.length, 9)
  return Buffer.concat([head, Buffer.from(json)])
}
const hello = frame(1, '{"version":1}')

/** Say it to the owner; `closed`, or the failure that it answers. */
const say = (o: Owner, octets: Buffer): Promise<string> =>
  new Promise(resolve => {
    const socket = connect(o.path)
    let heard = ''
    socket.on('data', chunk => {
      heard += chunk.toString('latin1')
      if (heard.includes('"name"')) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard.includes('"name"') ? heard : 'closed'))
    socket.write(octets)
  })

describe('who talks nonsense', () => {
  test.each([
    ['no frame at all', Buffer.from('EHLO there\r\n'.repeat(10))],
    ['a frame without a length', Buffer.alloc(64)],
    ['a frame that is too long', Buffer.concat([hello, Buffer.from('7fffffff02', 'hex')])],
    ['a kind that is none', Buffer.concat([hello, frame(99, '')])],
    ['what only an owner says', Buffer.concat([hello, frame(3, '[]')])],
    ['a question before the hello', frame(2, '{"method":"ids","params":{"count":1}}')],
    ['JSON that is none', Buffer.concat([hello, frame(2, '{"method":')])],
    ['JSON that is longer than its frame', Buffer.concat([hello, frame(2, '{}', { jsonLength: 1000 })])],
    ['a question that is no object', Buffer.concat([hello, frame(2, 'null')])],
    ['a draft that is no object', Buffer.concat([hello, frame(5, 'null')])],
    [
      'more of a draft than it may',
      Buffer.concat([
        hello,
        frame(5, JSON.stringify({ id: '0SA9BFCCW00M8SK', size: 1 })),
        ...Array.from({ length: 9 }, () => frame(6, 'a'.repeat(60_000), { jsonLength: 0 })),
      ]),
    ],
  ])('is cut off, and nobody else: %s', async (_name, octets) => {
    const { promise: later, resolve: go } = Promise.withResolvers<void>()
    const o = await owner(queue => ({
      ...queue,
      // A store that does not come to writing, so that credit is used up.
      begin: (size, id) => ({ ...queue.begin(size, id), write: () => later }),
    }))
    afterTest(go)
    const other = await o.connect()
    // The end of the connection is told before the end of what it had begun.
    await expect(say(o, octets)).resolves.toBe('closed')
    expect(other.newId()).toMatch(/^\w{15}$/)
    expect(await other.nextDue()).toBeUndefined()
  })

  test.each([
    ['an unknown method', '{"method":"constructor","params":{}}', 'there is no method constructor'],
    ['no parameters', '{"method":"claim"}', 'TypeError'],
    ['an id that is none', '{"method":"put","params":{"id":"../x","size":1,"message":{},"head":0}}', 'no id of newId'],
    [
      'a message that is none',
      '{"method":"put","params":{"id":"0SA9BFCCW00M8SK","size":1,"message":{},"head":0}}',
      'TypeError',
    ],
    ['a draft that is not there', '{"method":"endDraft","params":{"draft":7}}', 'there is no such draft'],
  ])('is told so: %s', async (_name, json, why) => {
    const o = await owner()
    const other = await o.connect()
    await expect(say(o, Buffer.concat([hello, frame(2, json)]))).resolves.toContain(why)
    await enqueueSample(other)
    expect(await claimSample(other)).toHaveLength(1)
  })

  test('or says nothing, is cut off after five seconds', async () => {
    const o = await owner()
    const heard = say(o, Buffer.alloc(0))
    await vi.waitFor(async () => {
      await o.clock.advance(5_000)
      expect(o.events.map(e => e.fields['why'])).toContain('no hello')
    })
    await expect(heard).resolves.toBe('closed')
  })

  test('another version of it, is told which one is spoken here', async () => {
    const o = await owner()
    await expect(say(o, frame(1, '{"version":2}'))).resolves.toContain('speaks version 1, not 2')
  })
})
