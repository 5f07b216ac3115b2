import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { QueueId } from '@posthorn/contracts'
import { connectControl, serveControl, socketPlace, type QueueOperations } from './control.ts'

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
const queue: QueueOperations = {
  list: () => Promise.resolve({ rows: [] }),
  count: () => Promise.resolve(new Map([['ready', 3]])),
  show: () => Promise.resolve(undefined),
  change: () => Promise.reject(new Error('no such message')),
}

test('the end of the control socket leaves the state directory alone, wherever it is', async () => {
  const state = newState()
  const place = socketPlace(state)
  const control = await serveControl(place, queue)
  expect(existsSync(place.path)).toBe(true)
  await control.close()
  expect(readdirSync(state)).toEqual(['queue.db'])
})

test('a path too long for a socket gets a directory of its own, which goes with the socket', async () => {
  const state = newState('x'.repeat(120))
  const place = socketPlace(state)
  const control = await serveControl(place, queue)
  expect(place.path.startsWith(state)).toBe(false)
  await control.close()
  expect(existsSync(place.made ?? '')).toBe(false)
  expect(readdirSync(state)).toEqual(['queue.db'])
})

test('operations go over the socket with maps, absences and reasons whole', async () => {
  const place = socketPlace(newState())
  const control = await serveControl(place, queue)
  const client = await connectControl(place.path)
  expect(await client?.count({} as never, 'state')).toEqual(new Map([['ready', 3]]))
  expect(await client?.show(id)).toBeUndefined()
  await expect(client?.change({} as never, {} as never, 'ann')).rejects.toThrow('no such message')
  client?.close()
  await control.close()
  expect(await connectControl(place.path)).toBeUndefined()
})
