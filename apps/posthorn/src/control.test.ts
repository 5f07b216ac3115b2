import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { QueueId } from '@posthorn/contracts'
import { bodyOf, readAll } from '@posthorn/message'
import { sampleMessage } from '@posthorn/testkit'
import { connectControl, serveControl } from './control.ts'
import { socketPlace } from './socket-place.ts'
import type { QueueOperations } from './queue-operations.ts'

const made: string[] = []
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true })
})
/** A state directory whose path begins as those of our temporary directories do. */
const newState = (name = 'var'): string => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-control-'))
  made.push(directory)
  const state = join(directory, name)
  mkdirSync(state)
  writeFileSync(join(state, 'queue.db'), 'mail')
  return state
}

const id = 'id' as QueueId
const content = new Uint8Array(700_000).map((_, i) => i)
const manySites = Array.from({ length: 100_000 }, (_, i): [string, number] => [`mx:d"${i}.test`, i])
const queue: QueueOperations = {
  list: () => Promise.resolve({ rows: [] }),
  count: (_filter, by) => Promise.resolve(new Map(by === 'site' ? manySites : [['ready', 3]])),
  show: () => Promise.resolve(undefined),
  open: wanted => Promise.resolve(wanted === id ? bodyOf(content) : undefined),
  change: () => Promise.reject(new Error('no such message')),
  suspend: () => Promise.resolve(2),
  resume: () => Promise.resolve(undefined),
  suspensions: () => Promise.resolve([]),
  backUp: () => Promise.reject(new Error('no room')),
  put: async (message, parts, actor) => {
    let size = 0
    for await (const part of parts) size += part.byteLength
    if (message.recipients.length === 0) throw new Error('a message needs a recipient')
    return `${size} by ${actor}` as QueueId
  },
}

test('the end of the control socket leaves the state directory alone, wherever it is', async () => {
  const state = newState()
  const place = socketPlace(state, 'control.sock')
  const control = await serveControl(place, queue)
  expect(existsSync(place.path)).toBe(true)
  await control.close()
  expect(readdirSync(state)).toEqual(['queue.db'])
})

test('a path too long for a socket gets a directory of its own, which goes with the socket', async () => {
  const state = newState('x'.repeat(120))
  const place = socketPlace(state, 'control.sock')
  const control = await serveControl(place, queue)
  expect(place.path.startsWith(state)).toBe(false)
  await control.close()
  expect(existsSync(place.made ?? '')).toBe(false)
  expect(readdirSync(state)).toEqual(['queue.db'])
})

test('operations go over the socket with maps, absences and reasons whole', async () => {
  const place = socketPlace(newState(), 'control.sock')
  const control = await serveControl(place, queue)
  const client = await connectControl(place.path)
  expect(await client?.count({} as never, 'state')).toEqual(new Map([['ready', 3]]))
  expect(await client?.show(id)).toBeUndefined()
  await expect(client?.change({} as never, {} as never, 'ann')).rejects.toThrow('no such message')
  expect(await client?.suspend({ sender: '' }, 'ann')).toBe(2)
  expect(await client?.resume({ sender: '' }, 'ann')).toBeUndefined()
  client?.close()
  await control.close()
  expect(await connectControl(place.path)).toBeUndefined()
})

test('content goes over the socket both ways, whole and in turn', async () => {
  const place = socketPlace(newState(), 'control.sock')
  const control = await serveControl(place, queue)
  const client = await connectControl(place.path)
  if (client === undefined) throw new Error('nobody listens')
  const [body, none, count] = await Promise.all([
    client.open(id),
    client.open('other' as QueueId),
    client.count({ and: [] }),
  ])
  expect(body && Buffer.from(await readAll(body, 1e6)).equals(content)).toBe(true)
  expect([none, count]).toEqual([undefined, new Map([['ready', 3]])])
  expect(await client.put(sampleMessage(), bodyOf(content).open(), 'ann')).toBe('700000 by ann')
  await expect(client.put(sampleMessage({ recipients: [] }), bodyOf(content).open(), 'ann')).rejects.toThrow(
    'recipient',
  )
  expect(await client.suspensions()).toEqual([])
  client.close()
  await control.close()
})

test('who sends no question is cut off, and the others go on', async () => {
  const place = socketPlace(newState(), 'control.sock')
  const control = await serveControl(place, queue)
  const client = await connectControl(place.path)
  const odd = connect(place.path)
  odd.on('error', () => undefined)
  odd.write('hello\n')
  await new Promise(done => odd.once('close', done))
  expect(await client?.list({ and: [] }, { limit: 1 })).toEqual({ rows: [] })
  client?.close()
  await control.close()
})

test('an answer may be longer than a line', async () => {
  const place = socketPlace(newState(), 'control.sock')
  const control = await serveControl(place, queue)
  const connection = await connectControl(place.path)
  if (connection === undefined) throw new Error('nobody listens')
  expect([...(await connection.count({ and: [] }, 'site'))]).toEqual(manySites)
  expect([...(await connection.count({ and: [] }))]).toEqual([['ready', 3]])
  connection.close()
  await control.close()
})
