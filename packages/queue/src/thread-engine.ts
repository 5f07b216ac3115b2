import { Worker } from 'node:worker_threads'
import type { Engine } from './engine.ts'
import type { Answers, Group, GroupResult, Query } from './operation.ts'
import type { ReaderData, ReadMessage, ReadReply } from './read-worker.ts'
import type { Recovered } from './store.ts'
import { storeError } from '@posthorn/queue-base'
import { pack, unpack } from './worker-message.ts'
import type { GroupMessage, PlainResult, WriterData, WriterReply } from './worker-message.ts'

/**
 * Pages (of 4 KiB) in the log from which the reader checkpoints. The log goes on while it does so: well below the 8000 from which the
 * writer would have to, and not so low that pages which every transaction writes are copied again and again.
 */
const checkpointFrom = 4000

/** The workers stand beside this file, built or not; written out, so that tools find them. */
const built = import.meta.url.endsWith('.js')
const writerUrl = built ? new URL('./store-worker.js', import.meta.url) : new URL('./store-worker.ts', import.meta.url)
const readerUrl = built ? new URL('./read-worker.js', import.meta.url) : new URL('./read-worker.ts', import.meta.url)

/** The writer's thread has begun; `recovered` says what it found. */
export interface ThreadEngine extends Engine {
  readonly recovered: Recovered
}

/** Start the writer's thread; the reader's is started by the first question. Rejects when the store cannot be opened. */
export const startEngine = async (data: WriterData, databasePath: string): Promise<ThreadEngine> => {
  let writer = await startWriter(data)
  let starting: Promise<void> | undefined
  let reader: Reader | undefined
  let checkpointer: Reader | undefined
  const { recovered } = writer
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
  const restart = async (now: number): Promise<void> => {
    try {
      writer = await startWriter({ ...data, recover: false, now })
    } finally {
      starting = undefined
    }
  }
  const write = async (group: Group, contents: readonly (readonly Uint8Array[])[]): Promise<GroupResult> => {
    if (writer.gone()) await (starting ??= restart(group.now))
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

interface Flying {
  readonly resolve: (result: GroupResult) => void
  readonly reject: (error: Error) => void
}
type Opened = Extract<WriterReply, { kind: 'ready' }>

interface Writer {
  readonly recovered: Recovered
  write(group: Group, contents: readonly (readonly Uint8Array[])[]): Promise<GroupResult>
  gone(): boolean
  close(): Promise<void>
}

const ended = (worker: Worker): Promise<void> => new Promise(resolve => worker.once('exit', () => resolve()))

const startWriter = async (data: WriterData): Promise<Writer> => {
  const worker = new Worker(writerUrl, { workerData: data, name: 'posthorn queue writer' })
  const exit = ended(worker)
  let gone = false
  /** In the order in which they were sent. */
  let flying: Flying[] = []
  const opened = new Promise<Opened>((resolve, reject) => {
    worker.on('message', (reply: WriterReply) => {
      if (reply.kind === 'ready') return resolve(reply)
      if (reply.kind === 'refused') return reject(new Error(reply.error))
      const group = flying.shift()
      if (reply.kind === 'failed') return group?.reject(storeError(reply.error, { full: false }))
      const result = JSON.parse(reply.json) as PlainResult
      group?.resolve({ ...result, contents: unpack(reply.lengths, reply.buffer) })
    })
    void exit.then(() => reject(new Error('the queue cannot be opened')))
  })
  const lost = (why: string): void => {
    gone = true
    for (const { reject } of flying) reject(storeError(why, { full: false }))
    flying = []
  }
  worker.on('error', error => lost(`the queue's writer failed: ${String(error)}`))
  void exit.then(() => lost(`the queue's writer has ended`))

  const { recovered } = await opened.catch(async (error: unknown) => {
    await exit
    throw error
  })
  return {
    recovered,
    gone: () => gone,
    write: (group, contents) =>
      new Promise((resolve, reject) => {
        const packed = pack(contents)
        const message: GroupMessage = { json: JSON.stringify(group), ...packed }
        worker.postMessage(message, packed.buffer === undefined ? [] : [packed.buffer])
        flying.push({ resolve, reject })
      }),
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
