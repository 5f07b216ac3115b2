// Checks that every package could be published as it is built: entry points, types and files agree. Run by `npm run check`.
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

const packages = resolve(import.meta.dirname, '../packages')
let faults = 0
for (const name of readdirSync(packages)) {
  const { messages, pkg } = await publint({ pkgDir: join(packages, name), pack: 'npm', level: 'warning' })
  for (const message of messages) console.error(`${name}: ${formatMessage(message, pkg)}`)
  faults += messages.length
}
console.log(faults === 0 ? 'every package could be published' : `${faults} faults`)
process.exitCode = faults === 0 ? 0 : 1
