import { parseArgs } from 'node:util'
import { cases } from './cases.ts'

const names = cases.map(c => c.name).join('|')
const { values: flags } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run test:load -- [--small] [--only ${names}]
Clients that cost a server much, while another is served: each case says what the server's memory grew by and how long the other waited.
Servers and clients are processes of this machine on loopback; it ends by itself after some minutes (--small: within one).`)
  process.exit(0)
}
const chosen = cases.filter(c => flags.only === undefined || c.name === flags.only)
if (chosen.length === 0) throw new Error(`--only takes one of ${names}`)

let failed = 0
for (const { name, proves, run } of chosen) {
  console.log(`${name}: ${proves}`)
  try {
    const { text, service } = await run(!flags.small)
    const { messages, median, longest } = service
    console.log(
      `  ${text}\n  meanwhile ${messages} messages of another session: ${median.toFixed(1)} ms each, ${longest.toFixed(0)} ms at most`,
    )
  } catch (error) {
    failed += 1
    console.log(`  FAILED: ${error instanceof Error ? error.message : String(error)}`)
  }
}
console.log(failed === 0 ? 'nothing wrong' : `${failed} of ${chosen.length} failed`)
process.exitCode = failed === 0 ? 0 : 1
