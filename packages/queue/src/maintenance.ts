import { rmSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { unfinishedBackup } from './backup.ts'
import { compactedSoFar, removeUnfinished } from './compact.ts'
import type { Compaction } from './compact.ts'
import { layoutOf, prepareDirectory } from './directory.ts'
import type { Layout } from './directory.ts'
import { lockDirectory } from './lock.ts'
import type { BackupSummary } from './manifest.ts'

export type Task =
  | { readonly do: 'compact'; readonly directory: string }
  | { readonly do: 'backup'; readonly directory: string; readonly target: string; readonly now: number }
export type TaskReply =
  { readonly result: BackupSummary | Compaction } | { readonly error: string } | { readonly expect: number }

const built = import.meta.url.endsWith('.js')
const workerUrl = built
  ? new URL('./maintenance-worker.js', import.meta.url)
  : new URL('./maintenance-worker.ts', import.meta.url)

interface Running<T> {
  readonly done: Promise<T>
  /** End it where it is. */
  stop(): Promise<void>
}

const runTask = <T extends BackupSummary | Compaction>(task: Task, expect: (octets: number) => void): Running<T> => {
  const worker = new Worker(workerUrl, { workerData: task, name: `posthorn queue ${task.do}` })
  const done = new Promise<T>((resolve, reject) => {
    worker.on('message', (reply: TaskReply) => {
      if ('expect' in reply) expect(reply.expect)
      else if ('error' in reply) reject(new Error(reply.error))
      else resolve(reply.result as T)
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new Error(`the ${task.do} was cut short`)))
  })
  // Whoever waits for it hears of a failure; while nobody does, it is none of the process.
  done.catch(() => {})
  return { done, stop: async () => void (await worker.terminate()) }
}

/** Backups of an open queue, one at a time. */
export interface Backups {
  make(target: string): Promise<BackupSummary>
  /** Cut short what runs. */
  stop(): Promise<void>
}

export const createBackups = (
  layout: Layout,
  o: {
    readonly wall: () => number
    /** No file of the spool is removed until the result is called. */
    readonly keepFiles: () => () => void
    /** What must be over before the first. */
    readonly after: Promise<void>
  },
): Backups => {
  let running: Running<BackupSummary> | undefined
  let stopped = false
  const start = async (target: string): Promise<BackupSummary> => {
    await o.after
    if (stopped) throw new Error('the queue is closed')
    if (running !== undefined) throw new Error('another backup is being made')
    const release = o.keepFiles()
    const now = Math.floor(o.wall())
    running = runTask({ do: 'backup', directory: layout.directory, target, now }, () => {})
    try {
      return await running.done
    } finally {
      running = undefined
      release()
      // A thread that was ended could not tidy up after itself.
      rmSync(unfinishedBackup(target, now), { recursive: true, force: true })
    }
  }
  return {
    make: start,
    stop: async () => {
      stopped = true
      await running?.stop()
    },
  }
}

/**
 * Give the space of what has left back to the file system. The queue must not be open: rejects when it is, or when there is no room for
 * the new file beside the old one. However it ends, the queue is complete. `progress` is told of octets, some times a second.
 */
export const compactQueue = async (
  directory: string,
  o: { readonly progress?: (done: number, of: number) => void } = {},
): Promise<Compaction> => {
  const layout = layoutOf(directory)
  prepareDirectory(layout)
  const unlock = lockDirectory(layout)
  let expected = 0
  const timer = setInterval(() => {
    if (expected > 0) o.progress?.(Math.min(expected, compactedSoFar(layout)), expected)
  }, 250)
  try {
    const { done } = runTask<Compaction>({ do: 'compact', directory }, octets => {
      expected = octets
    })
    return await done
  } finally {
    clearInterval(timer)
    removeUnfinished(layout)
    unlock()
  }
}
