import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { openReader } from './connection.ts'
import type { Query } from './operation.ts'
import { createReads } from './reads.ts'

/** The reader's thread: operators' questions, and checkpoints, neither of which then delays a commit. */
const port = parentPort
if (port === null) throw new Error('this file is a worker')
const { path, patient } = workerData as ReaderData
// What operators ask has what mail leaves over of the processors. Linux sets it for this thread alone, others for the whole process.
if (patient && process.platform === 'linux')
  try {
    setPriority(10)
  } catch {
    // Where it may not be set, it has its share.
  }
const db = openReader(path)
const reads = createReads(db)

/** What the thread is started with. */
export interface ReaderData {
  readonly path: string
  /** It lets others go first. */
  readonly patient: boolean
}
export type ReadMessage = { readonly id: number; readonly query: Query | 'checkpoint' } | 'close'
export type ReadReply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string; readonly range: boolean }

const run = (query: Query | 'checkpoint'): unknown =>
  query === 'checkpoint' ? db.exec('pragma wal_checkpoint(passive)') : reads.answer(query)

const answer = (id: number, query: Query | 'checkpoint'): void => {
  try {
    port.postMessage({ id, answer: run(query) } satisfies ReadReply)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    port.postMessage({ id, error: text, range: error instanceof RangeError } satisfies ReadReply)
  }
}

port.on('message', (message: ReadMessage) => {
  if (message !== 'close') return answer(message.id, message.query)
  db.close()
  port.close()
})
