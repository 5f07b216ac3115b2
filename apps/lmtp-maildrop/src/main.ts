// An LMTP maildrop: another mail server hands messages over, they go straight into Maildirs. No queue: 250 after the sync.
//   node -C @posthorn/source apps/lmtp-maildrop/src/main.ts --domain example.org --mailbox ann [--root DIR] [--port 2424]
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createJournal } from '@posthorn/journal'
import { createLmtpIntake, createMaildirTransport, createMailboxes } from '@posthorn/mda'
import { relayGuard } from '@posthorn/mta'
import { createChain, withoutHost } from '@posthorn/plugin'
import { createListener } from '@posthorn/smtp-listener'
import { systemClock as clock, systemRandom as random } from '@posthorn/system'

const { values: o } = parseArgs({
  options: {
    hostname: { type: 'string', default: 'maildrop.localhost' },
    domain: { type: 'string', multiple: true, default: [] },
    mailbox: { type: 'string', multiple: true, default: [] },
    root: { type: 'string', default: './var-maildrop' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '2424' },
  },
})
const { hostname, host } = o
if (o.domain.length === 0 || o.mailbox.length === 0) throw new Error('say --domain NAME and --mailbox NAME')
process.umask(0o077)

// Who the recipients are: the mailboxes say what an address is, the guard that mail for our domains is welcome, and no other.
const mailboxes = createMailboxes({ domains: o.domain, mailboxes: o.mailbox, hostname })
const guard = relayGuard({ isLocalDomain: domain => mailboxes.isLocalDomain(domain), hostname })

// Where the messages go, and what answers for them.
const journal = createJournal({ stream: process.stdout, format: 'json', level: 'info', clock })
const local = createMaildirTransport({ root: join(o.root, 'mail'), clock, random, hostname })
const intake = createLmtpIntake({
  transports: { local },
  spoolDir: join(o.root, 'incoming'),
  hostname,
  clock,
  random,
  journal,
})

const chain = await createChain([guard, mailboxes.plugin], { host: withoutHost, clock })
const listener = createListener(
  { name: 'lmtp', origin: 'lmtp', protocol: 'lmtp', hostname, chain, intake, dsn: false },
  { clock, random, journal },
)
const lmtp = await listener.listen({ host, port: Number(o.port) })
process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid, listeners: { lmtp } })}\n`)

const stop = async (): Promise<void> => {
  await listener.drain(10_000)
  await chain.stop()
  await journal.close()
}
process.once('SIGTERM', () => void stop())
process.once('SIGINT', () => void stop())
