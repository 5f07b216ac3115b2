// Clients of a process of their own: told to by a line, they connect and greet, some at first and the rest later, and stay until killed.
import { createInterface } from 'node:readline'
import { talk, type Talk } from '../peers/talk.ts'

const [port, how, ...counts] = process.argv.slice(2)
/** At a time; the rest wait, as they would at any listen backlog. */
const opening = 50
const talks: Talk[] = []

const openOne = async (): Promise<void> => {
  const t = await talk(Number(port))
  talks.push(t)
  await t.say('EHLO idle.example')
  if (how !== 'tls') return
  await t.secure()
  await t.say('EHLO idle.example')
}

for await (const _told of createInterface(process.stdin)) {
  let left = Number(counts.shift() ?? 0)
  const worker = async (): Promise<void> => {
    while (left-- > 0) await openOne()
  }
  await Promise.all(Array.from({ length: opening }, worker))
  console.log('open')
}
