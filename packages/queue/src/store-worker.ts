import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { closedUnless, openWriter } from './connection.ts'
import { layoutOf } from './directory.ts'
import type { Group } from './operation.ts'
import { createReserve } from './reserve.ts'
import { spoolFault } from './spool-fault.ts'
import { createStore } from './store.ts'
import { pack, unpack } from './worker-message.ts'
import type { GroupMessage, WriterData, WriterReply } from './worker-message.ts'
import { createWriter } from './writer.ts'
import type { Writer } from './writer.ts'

/** The writer's thread: one connection, one group after another. */
const port = parentPort
if (port === null) throw new Error('this file is a worker')
const data = workerData as WriterData
const layout = layoutOf(data.directory)
const reserve = createReserve(layout, data.floor)
/** Groups between two looks at the reserve. */
const refillEvery = 1024
let groups = 0

const post = (reply: WriterReply, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(reply, transfer)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const open = (): ReturnType<typeof createStore> =>
  closedUnless(openWriter(layout.database, data), db =>
    createStore(db, {
      history: data.history,
      checkSpool: (id, size) => spoolFault(lstatSync(join(layout.spool, id), { throwIfNoEntry: false }), size),
      releaseReserve: () => reserve.release(),
    }),
  )

const apply = (writer: Writer, message: GroupMessage): void => {
  try {
    const group = JSON.parse(message.json) as Group
    const { contents, ...result } = writer.apply(group, unpack(message.lengths, message.buffer))
    const packed = pack(contents.map(c => [c]))
    post(
      { kind: 'result', json: JSON.stringify(result), ...packed },
      packed.buffer === undefined ? [] : [packed.buffer],
    )
  } catch (error) {
    post({ kind: 'failed', error: messageOf(error) })
  }
  if (++groups % refillEvery === 0) reserve.refill()
}

try {
  const writer = createWriter(open)
  const recovered = data.recover ? writer.recover(data.now) : { leases: 0, lastKey: 0, changed: [] }
  reserve.refill()
  port.on('message', (message: GroupMessage | 'close') => {
    if (message !== 'close') return apply(writer, message)
    writer.close()
    port.close()
  })
  post({ kind: 'ready', recovered })
} catch (error) {
  post({ kind: 'refused', error: messageOf(error) })
}
