import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { backUp } from './backup.ts'
import { compact } from './compact.ts'
import { layoutOf } from './directory.ts'
import type { Task, TaskReply } from './maintenance.ts'

/** The thread of long work on the files: it lets the mail go first. */
const port = parentPort
if (port === null) throw new Error('this file is a worker')
const task = workerData as Task
const say = (reply: TaskReply): void => port.postMessage(reply)
if (process.platform === 'linux')
  try {
    setPriority(10)
  } catch {
    // Where it may not be set, it has its share.
  }
try {
  const layout = layoutOf(task.directory)
  const result =
    task.do === 'compact'
      ? compact(layout, octets => say({ expect: octets }))
      : await backUp(layout, task.target, task.now)
  say({ result })
} catch (error) {
  say({ error: error instanceof Error ? error.message : String(error) })
}
