// One listener in a process of its own, so that its memory and time are its own. What is accepted is discarded at the end of its content.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIntake } from '@posthorn/intake'
import { createJournal } from '@posthorn/journal'
import { createChain, definePlugin, permit, withoutHost } from '@posthorn/plugin'
import { openQueue } from '@posthorn/queue'
import { createListener, type Limits } from '@posthorn/smtp-listener'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'

const hostname = 'mx.example.org'
/** JSON has no infinity: what is null has no bound. */
const limits = Object.fromEntries(
  Object.entries(JSON.parse(process.argv[2] ?? '{}') as Record<string, number | null>).map(([k, v]) => [
    k,
    v ?? Infinity,
  ]),
) as Partial<Limits>
const directory = mkdtempSync(join(tmpdir(), 'posthorn-load-'))
const journal = createJournal({ stream: process.stderr, format: 'json', level: 'error' })
const takesAll = definePlugin({
  name: 'takes-all',
  setup: () => ({
    rcpt: () => permit,
    resolve: ({ to }) => ({ mailbox: to.local }),
    message: () => ({ discard: 'load' }),
  }),
})
const chain = await createChain([takesAll], { host: withoutHost, clock })
const queue = await openQueue({ directory, clock, random, journal })
const parts = { queue, chain, hostname, clock, random, journal }
const listener = createListener(
  { name: 'mx', origin: 'mx', protocol: 'smtp', hostname, chain, intake: createIntake(parts), limits },
  parts,
)
const mx = await listener.listen({ host: '127.0.0.1', port: 0 })
process.once('SIGTERM', () => {
  void listener
    .close()
    .then(() => queue.close())
    .then(() => rmSync(directory, { recursive: true, force: true }))
})
console.log(JSON.stringify({ event: 'ready', pid: process.pid, listeners: { mx } }))
