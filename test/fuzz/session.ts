import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { parseTranscript } from '@posthorn/testkit'
import { world, type Client, type World, type WorldOptions } from '../../packages/smtp-listener/test/world.ts'
import { pieces } from './chance.ts'
import type { Target } from './target.ts'

/** What clients say in the transcripts of the listener. */
const transcripts = (): readonly string[] => {
  const directory = new URL('../../packages/smtp-listener/test/transcripts/', import.meta.url)
  return readdirSync(directory)
    .filter(name => name.endsWith('.smtp'))
    .map(name =>
      parseTranscript(readFileSync(new URL(name, directory), 'utf8'))
        .steps.flatMap(step => (step.do === 'send' ? [Buffer.from(step.bytes).toString('latin1')] : []))
        .join(''),
    )
    .filter(text => text.length > 0 && text.length < 20_000)
}

const services: readonly NonNullable<WorldOptions['service']>[] = ['mx', 'mx', 'submission', 'lmtp']
const us = ['192.0.2.0/24']
const directory = { vrfy: true, expn: true, trusted: us, domain: 'example.org' }
const trusting: NonNullable<WorldOptions['overrides']> = { xclient: us, xforward: us, directory }
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Everything that the server said. Its end is the end of what it says. */
const everything = async (client: Client): Promise<readonly string[]> => {
  const lines: string[] = []
  for (let line = await client.line(); line !== undefined; line = await client.line()) lines.push(line)
  return lines
}

const judge = (w: World, lines: readonly string[]): void => {
  for (const line of lines) assert(/^[2-5]\d\d[ -]/.test(line), `not a line of a reply: ${line}`)
  assert(!lines.some(line => /undefined|\[object|Error:/.test(line)), 'something of the inside came out')
  assert.equal(w.intake.taken.filter(taken => taken.fate === 'open').length, 0, 'a reception was left open')
  assert.deepEqual(
    w.events.filter(event => event.name === 'error'),
    [],
  )
}

/** One session of the listener over a wire in memory; the client says the input and no more. */
export const sessionTarget: Target = {
  name: 'session',
  tokens: [
    'EHLO x\r\n',
    'MAIL FROM:<a@b.test>\r\n',
    'RCPT TO:<bob@example.org>\r\n',
    'RCPT TO:<team@example.org>\r\n',
    'DATA\r\n',
    '\r\n.\r\n',
    '\n.\n',
    'RSET\r\n',
    'BDAT 5\r\nhello',
    'BDAT 0 LAST\r\n',
    'AUTH PLAIN AGFubgBzZWNyZXQ=\r\n',
    'AUTH LOGIN\r\n',
    'QUIT\r\n',
    'STARTTLS\r\n',
    ' BODY=BINARYMIME',
    ' SIZE=1',
    'LHLO x\r\n',
    'XCLIENT ADDR=203.0.113.9 LOGIN=ann\r\n',
    'XFORWARD ADDR=203.0.113.9\r\n',
    'EXPN team\r\n',
  ],
  seeds: transcripts(),
  async run(input, chance) {
    const limits = chance.below(4) === 0 ? { messageBytes: 200, headerBytes: 100, recipients: 100 } : {}
    // Where the operator trusts this client there is more to say.
    const overrides = chance.below(2) === 0 ? {} : trusting
    const w = await world({ service: chance.pick(services), limits, overrides })
    const client = w.dial()
    for (const piece of pieces(input, chance)) await client.send(piece)
    client.end()
    const lines = await everything(client)
    client.reset()
    await w.listener.close()
    await turn()
    judge(w, lines)
    assert.equal(w.clock.pending, 0, 'a timer is left')
    return [...new Set(lines.map(line => line.slice(0, 9)))].join()
  },
}
