import { fileURLToPath } from 'node:url'
import type { Limits } from '@posthorn/smtp-listener'
import { startPosthorn, type Running } from '../peers/posthorn.ts'
import { talk } from '../peers/talk.ts'
import { peakOf } from '../peers/usage.ts'
import { attend, type Attendance } from './bystander.ts'

const program = fileURLToPath(new URL('server.ts', import.meta.url))

/** The server that a case loads. */
export interface Subject {
  readonly port: number
  readonly pid: number
  /** What its memory has grown by at its highest since the case began, in MiB. */
  grown(): number
}

/** What a case found out. */
export interface Found {
  readonly text: string
  readonly service: Attendance
}

/**
 * Do something to a fresh server while a bystander sends it mail. Throws when the bystander was not served, the server grew beyond
 * `mostMiB`, or does not serve the next session or end in good order.
 */
export const subjected = async (
  o: { readonly limits: Readonly<Partial<Record<keyof Limits, number | null>>>; readonly mostMiB: number },
  act: (subject: Subject) => Promise<string>,
): Promise<Found> => {
  const running = await startPosthorn([JSON.stringify({ sessionsPerClient: 5_000, ...o.limits })], { main: program })
  try {
    const port = running.port('mx')
    const { pid } = running
    await warm(port)
    const before = peakOf(pid)
    const bystander = await attend(port)
    const grown = (): number => peakOf(pid) - before
    const text = await act({ port, pid, grown })
    const service = await bystander.leave()
    if (grown() > o.mostMiB)
      throw new Error(`its memory grew by ${grown().toFixed(0)} MiB; at most ${o.mostMiB} are allowed`)
    const next = await talk(port)
    if (!(await next.say('EHLO next.example')).startsWith('250')) throw new Error('the next session was not served')
    next.cut()
    return { text: `${text}, +${grown().toFixed(0)} MiB at most`, service }
  } finally {
    await end(running)
  }
}

/** Code is compiled and caches are filled before anything counts. */
const warm = async (port: number): Promise<void> => {
  const first = await attend(port, 0)
  while (first.sent() < 300) await new Promise(resolve => setImmediate(resolve))
  await first.leave()
}

const end = async (running: Running): Promise<void> => {
  const code = await running.stop()
  if (code !== 0) throw new Error(`the server ended with ${code}: ${running.output().slice(-2000)}`)
}
