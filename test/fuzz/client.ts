import assert from 'node:assert/strict'
import { parseMailbox, type Mailbox } from '@posthorn/address'
import { bodyOf } from '@posthorn/message'
import { createClient, type Mail, type Target as Peer } from '@posthorn/smtp-client'
import { manualClock, scriptedNetwork } from '@posthorn/testkit'
import { pieces } from './chance.ts'
import type { Target } from './target.ts'

const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}
const mail: Mail = {
  returnPath: mailbox('a@client.example'),
  recipients: ['b@peer.example', 'c@peer.example', 'd@other.example'].map(to => ({ to: mailbox(to) })),
  body: bodyOf(Buffer.from('Subject: x\r\n\r\nh\u00e4llo\r\n')),
  smtputf8: true,
  eightBit: '8bitmime',
  envid: 'x',
  requireTls: false,
}
const peer = (protocol: 'smtp' | 'lmtp'): Peer => ({
  protocol,
  host: 'mx.peer.example',
  ip: '192.0.2.1',
  port: 25,
  tls: { level: 'may', names: ['mx.peer.example'], because: 'fuzz' },
  credentials: { user: 'u', password: 'p' },
  authInClear: true,
})

/** A whole client, whose peer says the input, as it comes, whatever it hears; then it closes. */
export const clientTarget: Target = {
  name: 'client',
  tokens: [
    '250 ok\r\n',
    '250-',
    '354 go\r\n',
    '421 bye\r\n',
    '334 \r\n',
    '235 ok\r\n',
    '220 go\r\n',
    'STARTTLS',
    'PIPELINING\r\n',
    'AUTH SCRAM-SHA-256 PLAIN\r\n',
    'LIMITS RCPTMAX=1\r\n',
    '550 5.1.1 no\r\n',
    '8BITMIME\r\n',
    'SIZE 10\r\n',
  ],
  seeds: [
    '220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n250 ok\r\n',
    '220 mx\r\n500 no\r\n250 mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n250 ok\r\n250 ok\r\n',
    '220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n250-mx\r\n250 AUTH SCRAM-SHA-256\r\n334 cj14\r\n535 no\r\n',
  ],
  async run(input, chance) {
    const clock = manualClock()
    const cut = pieces(input, chance)
    const network = scriptedNetwork(async there => {
      for (const piece of cut) {
        if (there.gone) return
        there.say(Buffer.from(piece).toString('latin1'))
        await Promise.resolve()
      }
      there.end()
    })
    const client = createClient({ network, clock, hostname: 'client.example', random: { bytes: n => Buffer.alloc(n) } })
    const outcomes = await client.send(
      mail,
      peer(chance.below(4) === 0 ? 'lmtp' : 'smtp'),
      new AbortController().signal,
    )
    await client.close()
    assert.deepEqual(network.faults, [])
    assert.equal(outcomes.length, 3)
    assert.equal(clock.pending, 0, 'a timer is left')
    for (const outcome of outcomes) assert(outcome.cause !== 'internal error', 'an unexpected exception')
    return outcomes.map(o => `${o.fate} ${o.phase}`).join()
  },
}
