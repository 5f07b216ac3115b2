// A process that takes mail into a queue on a disk that fails, and says on standard output what became of each message.
// `node workload.ts <root> <messages> <tries>`
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { openQueue } from '@posthorn/queue'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'
import { sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { contentOf, headOf, samplesOf, type Sample } from '../powercut/content.ts'

const [root = '', count = '40', tries = '3'] = process.argv.slice(2)
const bodyInline = 12_000
const queue = await openQueue({ directory: join(root, 'var', 'queue'), clock, random, bodyInline, floorBytes: 0 })
const say = (text: string): void => void writeSync(1, `${text}\n`)

const send = async ({ name }: Sample): Promise<void> => {
  const draft = queue.begin()
  try {
    const content = contentOf(name)
    for (let at = 0; at < content.byteLength; at += 8192) await draft.write(content.subarray(at, at + 8192))
    await draft.end()
    await draft.commit({ ...sampleMessage({ recipients: [sampleRecipient('r0@here.test')] }), head: headOf(name) })
  } finally {
    await draft.abort()
  }
}
const sendUntilTaken = async (sample: Sample): Promise<void> => {
  for (let n = 1; n <= Number(tries); n++) {
    // Each try is a message of its own, as a client's would be.
    const name = `${n}.${sample.name}`
    try {
      await send({ ...sample, name })
      return say(`accepted ${name} 1`)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'StoreError' || !('full' in error)) throw error
      say(`${error.full === true ? 'full' : 'failed'} ${name} ${error.message}`)
      await clock.sleep(50)
    }
  }
}

const samples = samplesOf('f', Number(count), 5, bodyInline)
let next = 0
const sender = async (): Promise<void> => {
  for (let sample = samples[next++]; sample !== undefined; sample = samples[next++]) await sendUntilTaken(sample)
}
await Promise.all(Array.from({ length: 4 }, sender))
await queue.close()
say('closed')
