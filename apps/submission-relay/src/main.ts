// A submission relay: users log in on 587 or 465, everything goes out through one smarthost. Nothing is delivered here.
//   node -C @posthorn/source apps/submission-relay/src/main.ts --smarthost smtp.example.net:587 [--user U --password-env VAR] [--state DIR] [--port 2587] [--tls-port 2465]
import { parseArgs } from 'node:util'
import { checkConfig, runStack } from '@posthorn/stack'

const { values: o } = parseArgs({
  options: {
    hostname: { type: 'string', default: 'relay.localhost' },
    smarthost: { type: 'string' },
    user: { type: 'string' },
    'password-env': { type: 'string', default: 'SMARTHOST_PASSWORD' },
    state: { type: 'string', default: './var-relay' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '2587' },
    'tls-port': { type: 'string', default: '2465' },
  },
})
const [, host, port] = /^(.+):(\d+)$/.exec(o.smarthost ?? '') ?? []
if (host === undefined) throw new Error('say --smarthost HOST:PORT')

await runStack(
  checkConfig({
    hostname: o.hostname,
    state: o.state,
    listeners: {
      mx: false,
      submission: { host: o.host, port: Number(o.port) },
      submissions: { host: o.host, port: Number(o['tls-port']) },
    },
    outbound: {
      smarthost: {
        host,
        port: Number(port),
        // With credentials the connection must be encrypted and the certificate good; without, it may be.
        ...(o.user === undefined ? {} : { user: o.user, password: { env: o['password-env'] }, tls: 'verify' as const }),
      },
    },
  }),
)
