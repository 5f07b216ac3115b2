// An inbound edge: takes mail for some domains on port 25, applies policy, hands it over LMTP to the server that has the mailboxes.
//   node -C @posthorn/source apps/inbound-edge/src/main.ts --domain example.org --lmtp 127.0.0.1:24 --mailbox ann --mailbox bob [--state DIR] [--port 2525]
import { parseArgs } from 'node:util'
import { definePlugin, pass } from '@posthorn/plugin'
import { reject } from '@posthorn/reply'
import { checkConfig, runStack } from '@posthorn/stack'

const { values: o } = parseArgs({
  options: {
    hostname: { type: 'string', default: 'edge.localhost' },
    domain: { type: 'string', multiple: true, default: [] },
    mailbox: { type: 'string', multiple: true, default: [] },
    lmtp: { type: 'string', default: '127.0.0.1:24' },
    state: { type: 'string', default: './var-edge' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '2525' },
  },
})
const [, host, port] = /^(.+):(\d+)$/.exec(o.lmtp) ?? []
if (host === undefined || o.domain.length === 0) throw new Error('say --domain NAME and --lmtp HOST:PORT')

/** The edge is where policy belongs: this one refuses who greets with our own name. */
const ourName = definePlugin({
  name: 'our-name',
  setup: () => ({
    ehlo: name => (name.toLowerCase() === o.hostname ? reject(550, '5.7.1', 'That is my name, not yours') : pass),
  }),
})

await runStack(
  checkConfig({
    hostname: o.hostname,
    state: o.state,
    domains: o.domain,
    mailboxes: o.mailbox,
    listeners: { mx: { host: o.host, port: Number(o.port) }, submission: false, submissions: false },
    deliver: { lmtp: { host, port: Number(port) }, recipients: o.mailbox.length > 0 ? 'listed' : 'any' },
    plugins: [ourName],
  }),
)
