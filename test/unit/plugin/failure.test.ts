import { describe, expect, test } from 'vitest'
import { accept, reject } from '@posthorn/reply'
import { pass, permit, policyFailure } from '@posthorn/plugin'
import type { HookName, OnMail } from '@posthorn/plugin'
import { bodyOf, emptyHeaders, utf8 } from '@posthorn/message'
import { benchOf, Everything, plugin, rcpt } from './setup.ts'

const no = reject(550, '5.7.1', 'No')
const never = (): Promise<never> => new Promise(() => {})

describe('row 51: a plugin that', () => {
  test('throws counts as 451 4.3.0 with fixed text, and its error is told under its name', async () => {
    const { chain, ctx, errors, verdicts } = await benchOf([
      plugin('bad', {
        mail: () => {
          throw new Error('password=hunter2')
        },
      }),
      plugin('good', { mail: () => pass }),
    ])
    expect(chain.decide('mail', null, ctx)).toBe(policyFailure)
    expect(policyFailure).toMatchObject({ code: 451, enhanced: '4.3.0' })
    expect(policyFailure.lines.join('')).not.toContain('hunter2')
    expect(errors).toEqual([{ plugin: 'bad', hook: 'mail', message: 'password=hunter2' }])
    expect(verdicts).toEqual([{ plugin: 'bad', hook: 'mail', verdict: 'error' }])
  })

  test('rejects counts the same', async () => {
    const { chain, ctx, errors } = await benchOf([plugin('bad', { mail: () => Promise.reject(new Error('x')) })])
    expect(await chain.decide('mail', null, ctx)).toBe(policyFailure)
    expect(errors).toHaveLength(1)
  })

  test('throws something that is no error counts the same', async () => {
    const { chain, ctx } = await benchOf([plugin('bad', { mail: () => Promise.reject(undefined) })])
    expect(await chain.decide('mail', null, ctx)).toBe(policyFailure)
  })

  test('never settles is given up at the deadline, and its signal aborts', async () => {
    let signal: AbortSignal | undefined
    const { chain, ctx, clock, verdicts } = await benchOf(
      [plugin('hangs', { mail: (_: unknown, c: OnMail) => ((signal = c.signal), never()) })],
      { deadlineMs: 500 },
    )
    const answer = chain.decide('mail', null, ctx)
    await clock.advance(499)
    expect(verdicts).toEqual([])
    await clock.advance(1)
    expect(await answer).toBe(policyFailure)
    expect(verdicts).toEqual([{ plugin: 'hangs', hook: 'mail', verdict: 'timeout', ms: 500 }])
    expect(signal?.aborted).toBe(true)
    expect(ctx.signal.aborted).toBe(false)
    expect(clock.pending).toBe(0)
  })

  test('answers after the deadline is not heard, and the next transaction is asked anew', async () => {
    let answer: (x: unknown) => void = () => {}
    const { chain, ctx, clock, verdicts, errors } = await benchOf(
      [plugin('late', { mail: () => new Promise<unknown>(resolve => (answer = resolve)) })],
      { deadlineMs: 500 },
    )
    const first = chain.decide('mail', null, ctx)
    const tellLate = answer
    await clock.advance(500)
    expect(await first).toBe(policyFailure)
    const second = chain.decide('mail', null, ctx)
    tellLate(no)
    await clock.advance(1)
    expect(verdicts).toHaveLength(1)
    expect(errors).toHaveLength(1)
    answer(pass)
    expect(await second).toBe(pass)
    expect(verdicts).toHaveLength(1)
  })

  test('settles twice is heard once', async () => {
    const twice = {
      // oxlint-disable-next-line unicorn/no-thenable -- a hostile plugin would
      then: (done: (x: unknown) => void, failed: (e: unknown) => void) => {
        done(pass)
        done(no)
        failed(new Error('third'))
      },
    }
    const asked: string[] = []
    const { chain, ctx, errors } = await benchOf([
      plugin('twice', { mail: () => twice }),
      plugin('next', { mail: () => (asked.push('next'), pass) }),
    ])
    expect(await chain.decide('mail', null, ctx)).toBe(pass)
    expect(asked).toEqual(['next'])
    expect(errors).toEqual([])
  })

  test('changes its answer after returning changes nothing', async () => {
    const stop = { hangUp: no }
    const edit = { prepend: [['X-One', '1']], tags: ['a'] }
    const { chain, ctx } = await benchOf([plugin('a', { connect: () => stop, stamp: () => edit })])
    const stopped = chain.decide('connect', { ip: ctx.ip }, ctx)
    const edits = chain.gather('stamp', { headers: emptyHeaders, body: bodyOf(utf8('')) }, ctx)
    stop.hangUp = undefined as never
    edit.prepend.push(['Bcc', 'evil@example.org'])
    edit.tags.length = 0
    expect(stopped).toEqual({ hangUp: no })
    expect(edits).toMatchObject([{ prepend: [['X-One', '1']], tags: ['a'] }])
  })

  test('shows one thing to the check and another afterwards is held to the first', async () => {
    let reads = 0
    const shifty = {
      get mailbox() {
        reads += 1
        return reads === 1 ? 'bob' : '../../etc/passwd'
      },
    }
    const { chain, ctx } = await benchOf([plugin('a', { resolve: () => shifty })])
    expect(chain.claim('resolve', rcpt('bob@example.org'), ctx)).toEqual({ mailbox: 'bob' })
  })
})

const lookAlike = { class: 5, code: 550, enhanced: '5.7.1', lines: ['No'] }
const message = { headers: emptyHeaders, body: bodyOf(utf8('x')) }
const nonsense: { [hook: string]: { input: unknown; answers: readonly unknown[] } } = {
  mail: {
    input: null,
    answers: [
      null,
      undefined,
      '',
      'ok',
      true,
      250,
      {},
      [],
      permit,
      lookAlike,
      accept(250, '2.0.0', 'Ok'),
      { hangUp: lookAlike },
      { hold: 'x' },
      { verdict: 'pass' },
    ],
  },
  rcpt: { input: rcpt('bob@example.org'), answers: [null, undefined, true, { verdict: 'permit' }] },
  message: {
    input: message,
    answers: [
      { hold: 1 },
      { hold: 'a\r\nb' },
      { discard: undefined },
      { hold: 'x', discard: 'y' },
      { each: {} },
      { each: new Map([['bob', no]]) },
    ],
  },
  attempt: {
    input: { via: 'mx', domain: 'x' },
    answers: [{ wait: -1, why: 'x' }, { wait: Infinity, why: 'x' }, { wait: 1 }, permit],
  },
  resolve: {
    input: rcpt('bob@example.org'),
    answers: [
      null,
      'bob',
      pass,
      {},
      { mailbox: '' },
      { mailbox: 'a\0b' },
      { mailbox: 'a', transport: 'b', arg: '' },
      { expand: [] },
      { expand: [], keep: 'ann' },
      { expand: [rcpt('a@b.example')], keep: '' },
      { expand: [rcpt('a@b.example')], keep: 1 },
      { expand: [{ to: 'a@b' }] },
      { expand: [{ to: { wire: 'a@b> SIZE=1\r\nDATA' } }] },
      { transport: 'x' },
      { expand: [rcpt('a@b.example')], returnPath: 'a@b' },
    ],
  },
  route: {
    input: rcpt('bob@example.org'),
    answers: [
      null,
      { via: 'mx' },
      { via: 'smtp', host: 'x', port: 0 },
      { via: 'smtp', host: 'x', port: 25, tls: 'none' },
      { via: 'transport', name: '' },
    ],
  },
  returnPath: { input: rcpt('bob@example.org'), answers: [null, 'a@b', { wire: 'no' }] },
  egress: {
    input: { site: 'mx:x', mx: [] },
    answers: [null, { concurrency: 0 }, { perSecond: Number.NaN }, { lane: 3 }, { colour: 'red' }],
  },
  stamp: {
    input: message,
    answers: [
      null,
      'x',
      [],
      { prepend: ['X: y'] },
      { prepend: [['X', 1]] },
      { prepend: [['X Y', 'z']] },
      { remove: 'Bcc' },
      { addRecipients: ['a@b'] },
      { priority: 'high' },
      { tags: [1] },
      { bcc: [] },
    ],
  },
  seal: { input: message, answers: [{ tags: ['x'] }, { remove: [] }] },
}
const failed = { failed: true, plugin: 'odd' }
const onFailure = new Map<string, unknown>([
  ['mail', policyFailure],
  ['rcpt', policyFailure],
  ['message', policyFailure],
  ['attempt', policyFailure],
])
const kinds = new Map<string, 'decide' | 'claim' | 'gather'>([
  ['resolve', 'claim'],
  ['route', 'claim'],
  ['returnPath', 'claim'],
  ['egress', 'claim'],
  ['stamp', 'gather'],
  ['seal', 'gather'],
])

describe('nonsense is a temporary failure, never a decision:', () => {
  for (const [hook, { input, answers }] of Object.entries(nonsense))
    test.each(answers.map(answer => [answer]))(`${hook} answering %o`, async answer => {
      const { chain, ctx, errors } = await benchOf([plugin('odd', { [hook]: () => answer })])
      const ask = (chain[kinds.get(hook) ?? 'decide'] as (h: HookName, i: unknown, c: object) => unknown).bind(chain)
      expect(ask(hook as HookName, input, ctx)).toEqual(onFailure.get(hook) ?? failed)
      expect(errors).toHaveLength(1)
      const { chain: slow, ctx: other } = await benchOf([plugin('odd', { [hook]: async () => answer })])
      const askSlow = (slow[kinds.get(hook) ?? 'decide'] as (h: HookName, i: unknown, c: object) => unknown).bind(slow)
      expect(await askSlow(hook as HookName, input, other)).toEqual(onFailure.get(hook) ?? failed)
    })
})

describe("the operator's word that failures pass", () => {
  const throws = plugin('scanner', {
    mail: () => {
      throw new Error('down')
    },
    resolve: () => Promise.reject(new Error('down')),
    stamp: () => 'nonsense',
  })

  test('lets the next plugin be asked, and the failure is still told', async () => {
    const { chain, ctx, errors, verdicts } = await benchOf([
      { use: throws, onError: 'pass' },
      plugin('next', { mail: () => no, resolve: () => ({ mailbox: 'bob' }), stamp: () => ({ tags: ['t'] }) }),
    ])
    expect(chain.decide('mail', null, ctx)).toBe(no)
    expect(await chain.claim('resolve', rcpt('bob@example.org'), ctx)).toEqual({ mailbox: 'bob' })
    expect(chain.gather('stamp', message, ctx)).toMatchObject([{ tags: ['t'] }])
    expect(errors.map(e => e.plugin)).toEqual(['scanner', 'scanner', 'scanner'])
    expect(verdicts.filter(v => v.plugin === 'scanner').map(v => v.verdict)).toEqual(['error', 'error', 'nonsense'])
  })

  test('covers a plugin that hangs, and the next has its full time', async () => {
    const slow = plugin('slow', { mail: never })
    let answer: (x: unknown) => void = () => {}
    const next = plugin('next', { mail: () => new Promise<unknown>(resolve => (answer = resolve)) })
    const { chain, ctx, clock } = await benchOf([{ use: slow, onError: 'pass' }, next], { deadlineMs: 500 })
    const result = chain.decide('mail', null, ctx)
    await clock.advance(500)
    await clock.advance(499)
    answer(no)
    expect(await result).toBe(no)
    expect(clock.pending).toBe(0)
  })

  test('does not cover its refusals', async () => {
    const { chain, ctx } = await benchOf([{ use: plugin('scanner', { mail: () => no }), onError: 'pass' }])
    expect(chain.decide('mail', null, ctx)).toBe(no)
  })
})

describe('the deadline', () => {
  test('is one for all plugins of the hook', async () => {
    const { chain, ctx, clock, verdicts } = await benchOf(
      [
        plugin('first', { mail: (_: unknown, c: OnMail) => clock.sleep(400, c.signal).then(() => pass) }),
        plugin('second', { mail: never }),
      ],
      { deadlineMs: 500 },
    )
    const answer = chain.decide('mail', null, ctx)
    await clock.advance(400)
    await clock.advance(100)
    expect(await answer).toBe(policyFailure)
    expect(verdicts).toEqual([{ plugin: 'second', hook: 'mail', verdict: 'timeout', ms: 100 }])
  })

  test('is not there when all answer synchronously, nor a promise, nor a signal', async () => {
    const { chain, clock, verdicts } = await benchOf([
      plugin('a', {
        mail: () => pass,
        rcpt: () => permit,
        resolve: () => ({ mailbox: 'bob' }),
        stamp: () => undefined,
        data: () => no,
      }),
    ])
    const signals: AbortSignal[] = []
    const ctx = new Everything({
      get signal() {
        const { signal } = new AbortController()
        signals.push(signal)
        return signal
      },
    })
    clock.after = clock.monotonic = () => {
      throw new Error('the clock was used')
    }
    expect(chain.decide('mail', null, ctx)).toBe(pass)
    expect(chain.decide('rcpt', rcpt('x@y.example'), ctx)).toBe(permit)
    expect(chain.claim('resolve', rcpt('x@y.example'), ctx)).toEqual({ mailbox: 'bob' })
    expect(chain.gather('stamp', message, ctx)).toEqual([])
    expect(chain.decide('data', [], ctx)).toBe(no)
    expect(signals).toEqual([])
    expect(verdicts.every(v => v.ms === undefined)).toBe(true)
  })
})

test('a reporter that throws does not change the verdict', async () => {
  const angry = (): never => {
    throw new Error('disk full')
  }
  const { chain, ctx } = await benchOf([plugin('a', { mail: () => no })], { onVerdict: angry, onError: angry })
  expect(chain.decide('mail', null, ctx)).toBe(no)
})
