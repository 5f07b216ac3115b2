import { readFileSync } from 'node:fs'
import { until } from '../../peers/command.ts'
import { freePort } from '../../peers/port.ts'
import { startPosthorn, type Running } from '../../peers/posthorn.ts'
import { makeSite, type Site } from '../../peers/site.ts'

/** One of the two servers, which may be killed and started again on what it had. */
interface Server {
  readonly site: Site
  /** Undefined while it is down. */
  running: Running | undefined
  /** Start it unless it runs. */
  up(): Promise<Running>
  /** SIGKILL to the process that owns the queue. */
  kill(): Promise<void>
  /** SIGKILL to one of its workers, if it has any; `pick` chooses among so many. */
  killWorker(pick: (count: number) => number): void
  /** Start it, and SIGKILL after so many ms unless it is ready before. */
  killStarting(ms: number): Promise<void>
}

/** `here` takes mail in and relays to `there`. Wall times of all kills, in ms. */
export interface Rig {
  readonly here: Server
  readonly there: Server
  readonly kills: number[]
  /** With both up, wait until nothing is in their queues. Rejects with what is left. */
  drained(): Promise<void>
  remove(): Promise<void>
}

/** The living children of a process. */
const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number)

const server = (site: Site, o: { readonly kills: number[]; readonly workers: number }): Server => {
  const { kills, workers } = o
  const start = (timeoutMs?: number): Promise<Running> =>
    startPosthorn(
      ['start', '--json', '--workers', String(workers), '--config', site.config, '--state', site.state],
      timeoutMs === undefined ? {} : { timeoutMs },
    )
  const self: Server = {
    site,
    running: undefined,
    up: async () => (self.running ??= await start()),
    kill: async () => {
      const { running } = self
      self.running = undefined
      if (running === undefined) return
      await running.kill()
      kills.push(Date.now())
    },
    killWorker: pick => {
      if (self.running === undefined) return
      const pids = childrenOf(self.running.pid)
      const victim = pids[pick(pids.length)]
      if (victim === undefined) return
      process.kill(victim, 'SIGKILL')
      kills.push(Date.now())
    },
    killStarting: async ms => {
      try {
        self.running ??= await start(ms)
      } catch {
        kills.push(Date.now())
      }
    },
  }
  return self
}

const empty = async (site: Site): Promise<void> => {
  let left = ''
  await until(
    'an empty queue',
    async () => {
      // What was put off while the other was away is due now.
      const retried = await site.posthorn('queue', 'retry', '--all')
      const listed = await site.posthorn('queue', 'list', '--json')
      left = `${retried.stderr}${listed.stdout}${listed.stderr}`
      return (listed.code === 0 && listed.stdout.trim() === '') || undefined
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; left: ${left.slice(0, 2000)}`)
  })
}

/** Make both, with so many workers each; neither runs yet. */
export const makeRig = async (workers: number): Promise<Rig> => {
  const kills: number[] = []
  const port = await freePort()
  const common = `submission: false, submissions: false`
  const there = await makeSite({
    body: `hostname: 'mx.example.net', domains: ['example.net'], mailboxes: ['bob'],
      listeners: { mx: { host: '127.0.0.1', port: ${port} }, ${common} }, limits: { connectionsPerAddress: 500 },`,
  })
  const here = await makeSite({
    body: `mailboxes: ['ann'], trusted: ['127.0.0.0/8'], listeners: { mx: { host: '127.0.0.1', port: 0 }, ${common} },
      outbound: { smarthost: { host: '127.0.0.1', port: ${port}, tls: 'never' } }, retry: { first: '1s', most: '2s' },`,
  })
  const servers = { here: server(here, { kills, workers }), there: server(there, { kills, workers }) }
  return {
    ...servers,
    kills,
    drained: async () => {
      await servers.there.up()
      await servers.here.up()
      await empty(here)
      await empty(there)
    },
    remove: async () => {
      await servers.here.running?.stop()
      await servers.there.running?.stop()
      here.remove()
      there.remove()
    },
  }
}
