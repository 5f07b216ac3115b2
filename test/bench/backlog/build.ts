import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, SiteKey } from '@posthorn/contracts'
import { openQueue, type EmbeddedQueue } from '@posthorn/queue'
import { sampleMailbox, sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { say } from './report.ts'

export const day = 86_400_000
const sites = 100_000
/** Half of the backlog is for it. */
export const dead = 'mx:dead.test' as SiteKey
export const body = new Uint8Array(1024).fill(120)

const later = (): never => {
  throw new Error('the queue sets no timers')
}
export const clockOf = (wall: () => number): Clock => ({
  wall,
  monotonic: () => performance.now(),
  sleep: later,
  after: later,
  deadline: later,
})
export const random = {
  next: Math.random,
  int: (n: number) => Math.floor(Math.random() * n),
  bytes: (n: number) => randomBytes(n),
}

export const put = async (
  queue: EmbeddedQueue,
  i: number,
  o: { site: string; due?: number; sender: string },
): Promise<void> => {
  const { site, due, sender } = o
  const draft = queue.begin(body.byteLength)
  await draft.write(body)
  const envelope = { returnPath: sampleMailbox(sender) }
  const recipients = [sampleRecipient(`user${i}@${site.slice(3)}`, { site, ...(due !== undefined && { due }) })]
  await draft.commit(sampleMessage({ envelope, recipients }))
}

/** Five days of mail, half of it for one dead site, the rest spread over the others; all of it is due in a day. */
export const build = async (directory: string, count: number): Promise<void> => {
  const now = Date.now()
  let made = 0
  const clock = clockOf(() => now - 5 * day + (5 * day * made) / count)
  const queue = await openQueue({ directory, clock, random, sync: false })
  const began = performance.now()
  const lane = async (): Promise<void> => {
    while (made < count) {
      const i = made++
      const site = i % 2 === 0 ? dead : `mx:d${(i * 7919) % sites}.test`
      await put(queue, i, { site, due: now + day + (i % 3600) * 1000, sender: `s${i % 1000}@here.test` })
    }
  }
  await Promise.all(Array.from({ length: 1000 }, lane))
  await queue.pause(dead, now + 2 * day, 'dead')
  await queue.close()
  const seconds = (performance.now() - began) / 1000
  say(`${count} messages over ${sites} sites built`, `${seconds.toFixed(0)} s`, '(< 120 s)')
  say('size of the database', `${(statSync(join(directory, 'queue.db')).size / 1024 ** 3).toFixed(2)} GiB`)
}
