import { rmSync, writeFileSync } from 'node:fs'
import { manualClock, queueOutageCases, seededRandom } from '@posthorn/testkit'
import { openQueue } from '../src/index.ts'

/** Run the outage case of a name on the queue of a directory, whose disk `failing-disk.ts` takes away. Ends with 1 when it fails. */
const [directory = '', name = ''] = process.argv.slice(2)
const found = queueOutageCases.find(o => o.name === name)
const away = process.env['DISK_AWAY']
if (found === undefined || away === undefined)
  throw new Error(`no case has the name "${name}", or DISK_AWAY is not set`)

const queue = await openQueue({ directory, clock: manualClock(), random: seededRandom(1), floorBytes: 0 })
await found.run({
  queue,
  away: async () => writeFileSync(away, ''),
  back: async () => rmSync(away),
})
await queue.close()
