import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryQueue } from '@posthorn/queue'
import { connectQueue, serveQueue } from '@posthorn/queue-socket'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { afterTest, owner } from './rig.ts'

const clock = manualClock()
const place = (): { readonly directory: string; readonly path: string } => {
  const directory = mkdtempSync(join(tmpdir(), 'queue-place-'))
  afterTest(() => rmSync(directory, { recursive: true }))
  return { directory, path: join(directory, 'queue.sock') }
}
const serve = (path: string) => serveQueue({ path, clock, queue: memoryQueue({ clock, random: seededRandom(1) }) })

test('nobody else can open the socket', async () => {
  const o = await owner()
  expect(statSync(o.path).mode & 0o777).toBe(0o600)
})

test('what a server that was killed left behind is replaced', async () => {
  const { path } = place()
  const first = await serve(path)
  // Not closed: as after SIGKILL the socket stands there.
  const second = await serve(path)
  const queue = await connectQueue({ path, clock })
  expect(await queue.nextDue()).toBeUndefined()
  await queue.close()
  await second.close()
  await first.close()
})

test('row 49: it is served neither in a directory that others can write nor in place of a file', async () => {
  const { directory, path } = place()
  chmodSync(directory, 0o777)
  await expect(serve(path)).rejects.toThrow('can be written by others')
  chmodSync(directory, 0o700)
  writeFileSync(path, 'mail')
  await expect(serve(path)).rejects.toThrow('is no socket')
  await expect(serve(join(path, 'x'))).rejects.toThrow('is no directory')
})

test('a client goes to no socket that others can open, and says when there is none', async () => {
  const { path } = place()
  await expect(connectQueue({ path, clock })).rejects.toThrow('the owner of the queue does not run')
  const server = await serve(path)
  chmodSync(path, 0o666)
  await expect(connectQueue({ path, clock })).rejects.toThrow('can be opened by others')
  await server.close()
})
