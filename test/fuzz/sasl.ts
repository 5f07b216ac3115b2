import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import {
  readClientFinal,
  readClientFirst,
  readServerFinal,
  readServerFirst,
  writeClientFinal,
  writeServerFinal,
  writeServerFirst,
} from '@posthorn/smtp'
import { socketWire } from '@posthorn/system'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { dovecotUsers } from '@posthorn/msa'
import { pieces } from './chance.ts'
import type { Target } from './target.ts'

/** The four messages of SCRAM: what is read is what was written. */
export const scramTarget: Target = {
  name: 'scram',
  tokens: [
    'n,,',
    'y,,',
    'p=tls-exporter,,',
    'n=',
    ',r=',
    ',s=',
    ',i=4096',
    'c=biws',
    ',p=',
    'v=',
    '=2C',
    '=3D',
    'm=x,',
    'a=',
  ],
  seeds: [
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=abc,p=dHzb',
    'v=6rri',
  ],
  run(input) {
    const text = Buffer.from(input).toString('utf8')
    const [first, asked, final, last] = [
      readClientFirst(text),
      readServerFirst(text),
      readClientFinal(text),
      readServerFinal(text),
    ]
    if (first !== undefined) assert.equal(first.header + first.bare, text)
    if (asked !== undefined) assert(text.startsWith(writeServerFirst(asked)))
    if (final !== undefined) assert.equal(writeClientFinal(final), text)
    if (last !== undefined) assert(text.startsWith(writeServerFinal(last)))
    return [first?.flag.slice(0, 2), asked?.iterations.toString().length, final?.proof.length, last?.length].join()
  },
}

const here = { ip: '127.0.0.1', port: 0 }
const client = { ...here, local: here, secure: true }

/** What stands in the place of Dovecot says the input; the log-in that waits for it ends, one way or another. */
export const dovecotTarget: Target = {
  name: 'dovecot',
  tokens: [
    'VERSION\t1\t2\n',
    'MECH\tPLAIN\n',
    'DONE\n',
    'OK\t1\tuser=ann\n',
    'FAIL\t1\n',
    'CONT\t1\t',
    '\u0001t',
    '\ttemp',
    '\n',
  ],
  seeds: [
    'VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\nOK\t1\tuser=ann\n',
    'VERSION\t1\t2\nDONE\nCONT\t1\tYQ==\nFAIL\t1\tuser=ann\ttemp\n',
    'VERSION\t2\t0\nDONE\n',
  ],
  async run(input, chance) {
    const [near, far] = duplexPair()
    far.on('error', () => {})
    const users = dovecotUsers({
      at: { path: 'auth' },
      network: { dial: async () => socketWire(near, { peer: here, local: here }) },
      clock: manualClock(),
      random: seededRandom(1),
      domains: [],
    })
    const answer = users.sasl
      .begin('PLAIN', client)
      .answer(new Uint8Array(1), new AbortController().signal)
      .then(
        said => Object.keys(said).join(),
        (error: unknown) => String(error).slice(0, 40),
      )
    // It asks before it is answered.
    far.resume()
    for (const piece of pieces(input, chance)) {
      far.write(piece)
      await new Promise(resolve => setImmediate(resolve))
    }
    far.end()
    const said = await answer
    assert(users.sasl.mechanisms.length <= 100 && users.sasl.mechanisms.every(name => /^[A-Z0-9_-]{1,20}$/.test(name)))
    users.close()
    return said
  },
}
