import { connectQueue } from '@posthorn/queue-socket'
import { createStack, type Config, type Stack } from '@posthorn/stack'
import { systemClock as clock } from '@posthorn/system'
import type { Held } from './queue-operations.ts'
import { loadSettings } from './settings.ts'
import type { WorkerOrder, WorkerSays, WorkerWord } from './worker-order.ts'
import { keepThreadsSmall } from './thread-nursery.ts'
import { collectYoungGarbage } from './young-garbage.ts'

/** How long sessions and attempts may take to finish when somebody else than the owner says stop. */
const graceMs = 10_000

/** The configuration as this worker goes by it. */
const configOf = (config: Config, { listeners, json, of }: WorkerOrder['begin']): Config => ({
  ...config,
  listeners,
  workers: of,
  log: { ...config.log, format: json ? 'json' : 'text' },
})

const open = async (order: WorkerOrder['begin']): Promise<Stack> => {
  const { number, of, socket } = order
  const settings = await loadSettings(order)
  const store = await connectQueue({ path: socket, clock, member: String(number) })
  return createStack(configOf(settings.config, order), {
    state: order.state,
    store,
    worker: { number, of, mine: site => store.mine(site) },
    logTo: process.stdout,
  })
}

const say = (says: WorkerSays): Promise<void> =>
  new Promise(done => {
    if (process.send === undefined || !process.connected) return done()
    process.send(says, undefined, undefined, () => done())
  })

let stack: Stack | undefined
const whyWaits = ({ site, id }: Held): string | null => stack?.dispatcher.whyWaits(site, id) ?? null
let stopping = false
const stop = async (grace: number): Promise<void> => {
  stopping = true
  await stack?.stop(grace)
  process.exit(0)
}

const begin = async (order: WorkerOrder['begin']): Promise<void> => {
  try {
    stack = await open(order)
    await stack.start()
    await say({ ready: true })
  } catch (error) {
    if (stopping) return
    await say({ failed: error instanceof Error ? error.message : String(error) })
    process.exit(1)
  }
}

process.title = `posthorn worker ${process.argv[2]}`
collectYoungGarbage()
keepThreadsSmall()
process.on('message', (word: WorkerOrder | WorkerWord) => {
  if ('begin' in word) void begin(word.begin)
  else if ('stop' in word) void stop(word.stop.graceMs)
  else if ('ping' in word) void say({ alive: true })
  else if ('giveBack' in word) stack?.dispatcher.giveBack(word.giveBack.site, word.giveBack.why)
  else void say({ reasons: { number: word.whyWait.number, why: word.whyWait.held.map(whyWaits) } })
})
// The owner is gone and the queue with it: nothing can be taken in, and another owner will want the ports.
process.on('disconnect', () => process.exit(1))
// Whoever tells one worker to end gets another in its place. A terminal's Ctrl-C comes to all, and the owner says what it means.
process.on('SIGTERM', () => void stop(graceMs))
process.on('SIGINT', () => undefined)
