import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { closedUnless, openWriter } from './connection.ts'
import { layoutOf } from './directory.ts'
import { mergeGroups } from './merge.ts'
import { createReserve } from './reserve.ts'
import { spoolFault } from './spool-fault.ts'
import { createStore } from './store.ts'
import { pack } from './worker-message.ts'
import type { GroupMessage, WriterData, WriterMessage, WriterReply } from './worker-message.ts'
import { createWriter } from './writer.ts'
import type { Writer } from './writer.ts'

/** The writer's thread: one connection, one transaction after another. */
const port = parentPort
if (port === null) throw new Error('this file is a worker')
const data = workerData as WriterData
const layout = layoutOf(data.directory)
const reserve = createReserve(layout, data.floor)
/** Bounds of one transaction: more waits for the next. */
const maxOps = 1000
const maxBytes = 16 * 1024 * 1024
/** Transactions between two looks at the reserve. */
const refillEvery = 1024
let transactions = 0

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

/** One transaction for all of them: while one runs, what comes gathers in the port for the next. */
const apply = (writer: Writer, messages: readonly GroupMessage[]): void => {
  const groups = messages.length
  try {
    const merged = mergeGroups(messages)
    const { contents, ...result } = writer.apply(merged.group, merged.contents)
    const packed = pack(contents.map(c => [c]))
    post(
      { kind: 'result', groups, json: JSON.stringify(result), ...packed },
      packed.buffer === undefined ? [] : [packed.buffer],
    )
  } catch (error) {
    post({ kind: 'failed', groups, error: messageOf(error) })
  }
  if (++transactions % refillEvery === 0) reserve.refill()
}
const waiting = (): WriterMessage | undefined => receiveMessageOnPort(port)?.message as WriterMessage | undefined

const run = (writer: Writer, first: WriterMessage): void => {
  let next: WriterMessage | undefined = first
  while (next !== undefined && next !== 'close') {
    const messages: GroupMessage[] = []
    let [ops, bytes] = [0, 0]
    do {
      messages.push(next)
      ops += next.count
      bytes += next.buffer?.byteLength ?? 0
      next = ops < maxOps && bytes < maxBytes ? waiting() : undefined
    } while (next !== undefined && next !== 'close')
    apply(writer, messages)
    next ??= waiting()
  }
  if (next === undefined) return
  writer.close()
  port.close()
}

try {
  const writer = createWriter(open)
  const { leases, lastKey } = data.recover ? writer.recover(data.now) : { leases: 0, lastKey: 0 }
  reserve.refill()
  port.on('message', (message: WriterMessage) => run(writer, message))
  post({ kind: 'ready', leases, lastKey })
} catch (error) {
  post({ kind: 'refused', error: messageOf(error) })
}
