import { Worker } from 'node:worker_threads'
import type { Engine } from './engine.ts'
import type { Answers, Group, GroupResult, Query } from './operation.ts'
import type { ReaderData, ReadMessage, ReadReply } from './read-worker.ts'
import { storeError } from '@posthorn/queue-base'
import { pack, unpack } from './worker-message.ts'
import type { GroupMessage, PlainResult, WriterData, WriterReply } from './worker-message.ts'

/** Pages in the log from which the reader checkpoints. */
const checkpointFrom = 1000

/** The workers stand beside this file, built or not; written out, so that tools find them. */
const built = import.meta.url.endsWith('.js')
const writerUrl = built ? new URL('./store-worker.js', import.meta.url) : new URL('./store-worker.ts', import.meta.url)
const readerUrl = built ? new URL('./read-worker.js', import.meta.url) : new URL('./read-worker.ts', import.meta.url)

/** The writer's thread has begun; `recovered` says what it found. */
export interface ThreadEngine extends Engine {
  readonly recovered: { readonly leases: number; readonly lastKey: number }
}

/** Start the writer's thread; the reader's is started by the first question. Rejects when the store cannot be opened. */
export const startEngine = async (data: WriterData, databasePath: string): Promise<ThreadEngine> => {
  let writer = await startWriter(data)
  let reader: Reader | undefined
  let checkpointer: Reader | undefined
  const recovered = { leases: writer.leases, lastKey: writer.lastKey }
  const theReader = (): Reader => {
    if (reader === undefined || reader.gone()) reader = startReader({ path: databasePath, patient: true })
    return reader
  }
  /** A thread of its own: a checkpoint neither waits for a long question nor for the turn of a patient thread. */
  const theCheckpointer = (): Reader => {
    if (checkpointer === undefined || checkpointer.gone())
      checkpointer = startReader({ path: databasePath, patient: false })
    return checkpointer
  }
  const write = async (group: Group, contents: readonly (readonly Uint8Array[])[]): Promise<GroupResult> => {
    if (writer.gone()) writer = await startWriter({ ...data, recover: false, now: group.now })
    const result = await writer.write(group, contents)
    if (result.wal !== undefined && result.wal >= checkpointFrom) theCheckpointer().checkpoint()
    return result
  }
  return {
    recovered,
    write,
    read: query => theReader().read(query),
    close: async () => {
      await Promise.all([reader?.close(), checkpointer?.close()])
      await writer.close()
    },
  }
}

interface Writer {
  readonly leases: number
  readonly lastKey: number
  write(group: Group, contents: readonly (readonly Uint8Array[])[]): Promise<GroupResult>
  gone(): boolean
  close(): Promise<void>
}

const ended = (worker: Worker): Promise<void> => new Promise(resolve => worker.once('exit', () => resolve()))

const startWriter = async (data: WriterData): Promise<Writer> => {
  const worker = new Worker(writerUrl, { workerData: data, name: 'posthorn queue writer' })
  const exit = ended(worker)
  let gone = false
  let waiting: { resolve: (reply: WriterReply) => void; reject: (error: Error) => void } | undefined
  const lost = (why: string): void => {
    gone = true
    waiting?.reject(storeError(why, { full: false }))
    waiting = undefined
  }
  worker.on('message', (reply: WriterReply) => {
    const w = waiting
    waiting = undefined
    w?.resolve(reply)
  })
  worker.on('error', error => lost(`the queue's writer failed: ${String(error)}`))
  void exit.then(() => lost(`the queue's writer has ended`))
  const next = (): Promise<WriterReply> =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject }
    })

  const first = await next()
  if (first.kind !== 'ready') {
    await exit
    throw new Error(first.kind === 'refused' ? first.error : 'the queue cannot be opened')
  }
  return {
    leases: first.leases,
    lastKey: first.lastKey,
    gone: () => gone,
    write: async (group, contents) => {
      const packed = pack(contents)
      const message: GroupMessage = { json: JSON.stringify(group), ...packed }
      worker.postMessage(message, packed.buffer === undefined ? [] : [packed.buffer])
      const reply = await next()
      if (reply.kind !== 'result')
        throw storeError('error' in reply ? reply.error : 'the store answered out of turn', { full: false })
      const result = JSON.parse(reply.json) as PlainResult
      return { ...result, contents: unpack(reply.lengths, reply.buffer) }
    },
    close: async () => {
      if (!gone) worker.postMessage('close', [])
      await exit
    },
  }
}

interface Reader {
  read<Q extends Query>(query: Q): Promise<Answers[Q['ask']]>
  checkpoint(): void
  gone(): boolean
  close(): Promise<void>
}

const startReader = (data: ReaderData): Reader => {
  const worker = new Worker(readerUrl, {
    workerData: data,
    name: 'posthorn queue reader',
    // Its rows are short-lived and few at a time.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  })
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  const exit = ended(worker)
  let last = 0
  let gone = false
  const lost = (why: string): void => {
    gone = true
    for (const { reject } of waiting.values()) reject(storeError(why, { full: false }))
    waiting.clear()
  }
  worker.on('message', (reply: ReadReply) => {
    const w = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('answer' in reply) w?.resolve(reply.answer)
    else w?.reject(reply.range ? new RangeError(reply.error) : storeError(reply.error, { full: false }))
  })
  worker.on('error', error => lost(`the queue's reader failed: ${String(error)}`))
  void exit.then(() => lost(`the queue's reader has ended`))
  const post = (message: ReadMessage): void => worker.postMessage(message, [])
  const ask = (query: Query | 'checkpoint'): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (gone) return reject(storeError(`the queue's reader has ended`, { full: false }))
      const id = ++last
      waiting.set(id, { resolve, reject })
      post({ id, query })
    })
  let checkpointing: Promise<unknown> | undefined
  return {
    read: async query => (await ask(query)) as never,
    checkpoint: () => {
      // A failure is no harm: the writer checkpoints what the reader does not.
      checkpointing ??= ask('checkpoint')
        .catch(() => {})
        .finally(() => {
          checkpointing = undefined
        })
    },
    gone: () => gone,
    close: async () => {
      if (!gone) post('close')
      await exit
    },
  }
}
