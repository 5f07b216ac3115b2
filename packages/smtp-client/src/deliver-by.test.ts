import { describe, expect, it, test } from 'vitest'
import { bench, content, greeting, mail, mailbox, never, target } from '../test/exchange.ts'
import { byParameter, tooLateFor, withDelay } from './deliver-by.ts'
import { featuresOf } from './features.ts'
import type { MailDeliverBy } from './mail.ts'

const now = 1_800_000_000_000
const by = (ms: number, mode: MailDeliverBy['mode'], o: Partial<MailDeliverBy> = {}): MailDeliverBy => ({
  at: now + ms,
  mode,
  trace: false,
  ...o,
})
const offering = (...options: readonly string[]) => featuresOf(new Map([['DELIVERBY', options]]))

describe('the time that is left', () => {
  it.each<[number, MailDeliverBy['mode'], Partial<MailDeliverBy>, string]>([
    [120_999, 'return', {}, '120;R'],
    [120_999, 'notify', { trace: true }, '120;NT'],
    [1_000, 'return', { trace: true }, '1;RT'],
    // Somebody has to tell the sender, and it was not us.
    [400, 'notify', {}, '1;N'],
    [-5_000, 'notify', {}, '1;N'],
    [-5_000, 'notify', { told: true }, '-5;N'],
    [-5_001, 'notify', { told: true, trace: true }, '-6;NT'],
    [0, 'notify', { told: true }, '0;N'],
    [5_000, 'notify', { told: true }, '5;N'],
  ])('%d ms in mode %s, %o: BY=%s', (ms, mode, o, said) => {
    expect(byParameter(by(ms, mode, o), now)).toBe(` BY=${said}`)
  })
})

describe('in mode R', () => {
  it.each<[number, readonly string[], boolean]>([
    [240_000, ['240'], true],
    [239_999, ['240'], false],
    [239_999, [], true],
    [1_000, [], true],
    [999, [], false],
    [-1, [], false],
    [1_000, ['0'], true],
    // Options that nobody has defined yet, and what is no number.
    [240_000, ['240,X=1'], true],
    [239_999, ['240,X=1'], false],
    [1_000, ['soon'], true],
    [1_000, ['99999999999'], true],
  ])('with %d ms left, a peer that offers %j gets it: %j', (ms, options, gets) => {
    expect(tooLateFor(by(ms, 'return'), offering(...options), now)?.status).toBe(gets ? undefined : '5.4.7')
  })
  it('nobody gets it who does not offer DELIVERBY; in mode N everybody does', () => {
    const none = featuresOf(new Map())
    expect(tooLateFor(by(60_000, 'return'), none, now)).toMatchObject({
      fate: 'failed',
      phase: 'mail',
      status: '5.4.7',
    })
    expect(tooLateFor(by(60_000, 'notify'), none, now)).toBeUndefined()
    expect(tooLateFor(by(-60_000, 'notify'), offering('240'), now)).toBeUndefined()
  })
})

test('whoever wants to hear of anything is told of delays by a peer that does not know the time', () => {
  expect(withDelay(undefined)).toEqual(['failure', 'delay'])
  expect(withDelay(['success'])).toEqual(['success', 'delay'])
  expect(withDelay(['delay', 'success'])).toEqual(['delay', 'success'])
  expect(withDelay('never')).toBe('never')
})

test('the time is handed over only to who offers to look at it, and counts from when MAIL is said', async () => {
  for (const offered of [true, false]) {
    const b = bench([
      `${greeting('PIPELINING', ...(offered ? ['DELIVERBY'] : []))}C: MAIL FROM:<alice@example.com>${offered ? ' BY=60;N' : ''}\nC: RCPT TO:<bob@example.org>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 ok`,
    ])
    await b.clock.advance(60_000)
    const at = b.clock.wall() + 60_000
    const message = mail({ deliverBy: { at, mode: 'notify', trace: false } })
    const [outcome] = await b.client.send(message, target(), never)
    expect(b.network.faults).toEqual([])
    expect([outcome?.fate, outcome?.deliverByTakenOver ?? false]).toEqual(['relayed', offered])
  }
})

test('a message without a time is given to a peer that offers DELIVERBY without a word of it', async () => {
  const b = bench([
    `${greeting('DELIVERBY 240', 'DSN')}C: MAIL FROM:<alice@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.org> NOTIFY=SUCCESS\nS: 250 ok\nC: DATA\nS: 354 go\n${content}S: 250 ok`,
  ])
  const recipients = [{ to: mailbox('bob@example.org'), notify: ['success'] as const }]
  const [outcome] = await b.client.send({ ...mail(), recipients }, target(), never)
  expect(b.network.faults).toEqual([])
  expect(outcome).not.toHaveProperty('deliverByTakenOver')
})
