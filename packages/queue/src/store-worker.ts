import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { openWriter } from './connection.ts'
import { layoutOf } from './directory.ts'
import { faultOf } from './fault.ts'
import type { Group } from './operation.ts'
import { createReserve } from './reserve.ts'
import { spoolFault } from './spool-fault.ts'
import { createStore } from './store.ts'
import type { Store } from './store.ts'
import { pack, unpack } from './worker-message.ts'
import type { GroupMessage, WriterData, WriterReply } from './worker-message.ts'

/** The writer's thread: one connection, one group after another. */
const port = parentPort
if (port === null) throw new Error('this file is a worker')
const data = workerData as WriterData
const layout = layoutOf(data.directory)
const reserve = createReserve(layout, data.floor)
/** Groups between two looks at the log. */
const lookEvery = 16
/** Pages (of 4 KiB) beyond which the writer itself waits for readers and starts the log anew: the back-pressure on it. */
const walCap = 65_536

const post = (reply: WriterReply, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(reply, transfer)

const open = (): Store =>
  createStore(openWriter(layout.database, data), {
    history: data.history,
    checkSpool: (id, size) => spoolFault(lstatSync(join(layout.spool, id), { throwIfNoEntry: false }), size),
    releaseReserve: () => reserve.release(),
  })

let store: Store | undefined
let groups = 0

const walPages = (s: Store): number | undefined => {
  if (++groups % lookEvery !== 0) return undefined
  const pages = s.walPages()
  if (pages > walCap) s.restartLog()
  return pages
}

/**
 * After a failure of the disk the connection is closed: what SQLite holds in memory may not be what is on the disk, and a sync
 * that failed once is never tried again. The next group opens the files anew.
 */
const apply = (message: GroupMessage): void => {
  const group = JSON.parse(message.json) as Group
  const reopened = store === undefined
  try {
    store ??= open()
    const { contents, ...result } = store.apply(group, unpack(message.lengths, message.buffer))
    const wal = walPages(store)
    if (groups % 1024 === 0) reserve.refill()
    const packed = pack(contents.map(c => [c]))
    const json = JSON.stringify({ ...result, ...(wal !== undefined && { wal }), ...(reopened && { reopened }) })
    post({ kind: 'result', json, ...packed }, packed.buffer === undefined ? [] : [packed.buffer])
  } catch (error) {
    if (faultOf(error) === 'disk') drop()
    post({ kind: 'failed', error: error instanceof Error ? error.message : String(error) })
  }
}

const drop = (): void => {
  try {
    store?.close()
  } catch {
    // It is given up either way.
  }
  store = undefined
}

port.on('message', (message: GroupMessage | 'close') => {
  if (message !== 'close') return apply(message)
  store?.close()
  port.close()
})

try {
  store = open()
  const { leases, lastKey } = data.recover ? store.recover(data.now) : { leases: 0, lastKey: 0 }
  reserve.refill()
  post({ kind: 'ready', leases, lastKey })
} catch (error) {
  post({ kind: 'refused', error: error instanceof Error ? error.message : String(error) })
  port.close()
}
