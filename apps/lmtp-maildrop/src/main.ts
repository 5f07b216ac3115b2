// An LMTP maildrop: another mail server hands messages over, they go straight into Maildirs. No queue: 250 after the sync.
//   node -C @posthorn/source apps/lmtp-maildrop/src/main.ts --domain example.org --mailbox ann [--root DIR] [--port 2424]
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createJournal } from '@posthorn/journal'
import { createLmtpIntake, createMaildirTransport, createMailboxes } from '@posthorn/mda'
import { createChain, definePlugin, pass, permit, withoutHost } from '@posthorn/plugin'
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
