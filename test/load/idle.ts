import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { root, type Running } from '../peers/posthorn.ts'
import { makeSite } from '../peers/site.ts'
import { residentOf } from '../peers/usage.ts'
import { attend } from './bystander.ts'
import type { Found } from './subject.ts'

const program = fileURLToPath(new URL('idlers.ts', import.meta.url))
/** KiB for each session. OpenSSL and Node take most of what one under TLS has. */
const most = { plain: 12, tls: 96 } as const
/** What was measured in the same way (November 2026). */
const elsewhere = { plain: '; Haraka 11, Postfix 1,221', tls: '' } as const

/** Node raises the soft limit to this by itself. */
const mostFiles = (): number => {
  const found = /^Max open files\s+\d+\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return found === 'unlimited' ? Infinity : Number(found)
}

/** The clients, in a process of their own. */
interface Idlers {
  /** Resolves when they have all said EHLO. */
  open(): Promise<void>
  readonly child: ChildProcess
}
const startIdlers = (port: number, how: 'plain' | 'tls', counts: readonly number[]): Idlers => {
  const args = ['-C', '@posthorn/source', program, String(port), how, ...counts.map(String)]
  const child = spawn(`${root}/node_modules/node/bin/node`, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const said = child.stdout[Symbol.asyncIterator]()
  return {
    child,
    open: async () => {
      child.stdin.write('go on\n')
      if ((await said.next()).done === true) throw new Error('the clients ended early')
    },
  }
}

const kibEach = async (running: Running, idlers: Idlers, count: number): Promise<Found> => {
  await idlers.open()
  const before = residentOf(running.pid)
  const bystander = await attend(running.port('mx'))
  await idlers.open()
  const each = ((residentOf(running.pid) - before) * 1024) / count
  return { text: each.toFixed(1), service: await bystander.leave() }
}

/** Sessions that have said EHLO, after STARTTLS or without, and then nothing. */
export const idleSessions = async (count: number, how: 'plain' | 'tls'): Promise<Found> => {
  // The first ones fill what the process had to spare.
  const early = Math.ceil(count / 5)
  const files = count + early + 200
  if (mostFiles() < files) throw new Error(`${files} open files are needed, ulimit -Hn allows ${mostFiles()}`)
  const site = await makeSite({
    body: `mailboxes: ['bob@example.org'], limits: { connections: 100_000, connectionsPerAddress: 100_000 },`,
  })
  let running: Running | undefined
  let idlers: Idlers | undefined
  try {
    running = await site.start()
    idlers = startIdlers(running.port('mx'), how, [early, count])
    const { text: each, service } = await kibEach(running, idlers, count)
    if (Number(each) > most[how]) throw new Error(`${each} KiB an idle session; at most ${most[how]} are allowed`)
    return { text: `${count} idle sessions, ${each} KiB each${elsewhere[how]}`, service }
  } finally {
    if (idlers?.child.kill('SIGKILL') === true) await once(idlers.child, 'exit')
    await running?.stop()
    site.remove()
  }
}
