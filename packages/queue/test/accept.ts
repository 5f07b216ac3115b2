// A process that accepts mail until it is killed: it prints an id only after the commit of that message has resolved.
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { enqueueSample } from '@posthorn/testkit'
import { openQueue } from '../src/index.ts'

const start = performance.now()
const queue = await openQueue({
  directory: process.argv[2] ?? '',
  clock: {
    wall: () => Date.now(),
    monotonic: () => performance.now() - start,
    sleep: () => Promise.reject(new Error('not here')),
    after: () => () => {},
    deadline: () => {
      throw new Error('not here')
    },
  },
  random: { next: Math.random, int: below => Math.floor(Math.random() * below), bytes: n => randomBytes(n) },
  floorBytes: 0,
  bodyInline: 4096,
})
const accept = async (): Promise<never> => {
  for (let i = 0; ; i++) {
    // Every fourth is large, and goes through the spool.
    const text = 'x'.repeat(i % 4 === 0 ? 10_000 : 1000)
    const id = await enqueueSample(queue, undefined, text)
    writeSync(1, `${id} ${text.length}\n`)
  }
}
await Promise.all(Array.from({ length: 10 }, accept))
