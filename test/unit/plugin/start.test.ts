import { describe, expect, test } from 'vitest'
import { createChain, definePlugin, pass } from '@posthorn/plugin'
import type { Host, Plugin } from '@posthorn/plugin'
import { bodyOf, emptyHeaders, utf8 } from '@posthorn/message'
import { manualClock } from '@posthorn/testkit'
import { benchOf, plugin } from './setup.ts'

const asked = async (plugins: (log: string[]) => readonly Plugin[]): Promise<string> => {
  const log: string[] = []
  const { chain, ctx } = await benchOf(plugins(log))
  void chain.decide('mail', null, ctx)
  return log.join(' ')
}
const logging = (
  log: string[],
  name: string,
  o: { order?: 'early' | 'late'; after?: readonly string[] } = {},
): Plugin => {
  const run = (): typeof pass => (log.push(name), pass)
  return plugin(name, { mail: o.order ? { run, order: o.order } : run }, o.after ? { after: o.after } : {})
}

describe('the order of plugins', () => {
  test('is that of registration', async () => {
    expect(await asked(log => [logging(log, 'b'), logging(log, 'a'), logging(log, 'c')])).toBe('b a c')
  })

  test('is early, normal, late', async () => {
    expect(
      await asked(log => [
        logging(log, 'l', { order: 'late' }),
        logging(log, 'n'),
        logging(log, 'e', { order: 'early' }),
      ]),
    ).toBe('e n l')
  })

  test('obeys after within a tier, ignoring names that are not there', async () => {
    expect(
      await asked(log => [
        logging(log, 'dmarc', { after: ['spf', 'dkim', 'arc'] }),
        logging(log, 'x'),
        logging(log, 'dkim', { after: ['spf'] }),
        logging(log, 'spf'),
      ]),
    ).toBe('x spf dkim dmarc')
  })

  test('the tier is stronger than after', async () => {
    expect(await asked(log => [logging(log, 'a', { order: 'early', after: ['b'] }), logging(log, 'b')])).toBe('a b')
  })
})

describe('a start fails, naming the plugin, when', () => {
  const cases: readonly [string, readonly Plugin[], RegExp][] = [
    ['two share a name', [plugin('a', {}), plugin('a', {})], /two plugins are called a/],
    [
      'plugins wait for each other',
      [
        plugin('x', {}),
        plugin('a', {}, { after: ['b'] }),
        plugin('b', {}, { after: ['c'] }),
        plugin('c', {}, { after: ['a'] }),
      ],
      /a after b after c after a/,
    ],
    ['one waits for itself', [plugin('a', {}, { after: ['a'] })], /a after a/],
    [
      'a hook does not exist',
      [plugin('a', { rctp: () => pass })],
      /plugin a: there is no hook rctp; there are connect, /,
    ],
    ['a hook is no function', [plugin('a', { mail: pass })], /plugin a: hook mail is neither/],
    [
      'the order is unknown',
      [plugin('a', { mail: { run: () => pass, order: 'first' } })],
      /plugin a: hook mail has order "first"/,
    ],
    ['setup gives nothing', [{ name: 'a', setup: () => undefined as never }], /plugin a: setup gave no hooks/],
    [
      'setup throws',
      [{ name: 'a', setup: () => Promise.reject(new Error('no key')) }],
      /plugin a: setup failed: no key/,
    ],
    ['the name is bad', [{ name: 'A b', setup: () => ({}) }], /plugin name "A b"/],
    [
      'an EHLO keyword could not be sent',
      [plugin('a', {}, { provides: { ehlo: ['X\r\n250 OK'] } })],
      /plugin a: .* no EHLO keyword/,
    ],
  ]
  test.each(cases)('%s', async (_, plugins, expected) => {
    await expect(benchOf(plugins)).rejects.toThrow(expected)
  })

  test('setup hangs', async () => {
    const clock = manualClock()
    const chain = createChain([{ name: 'a', setup: () => new Promise(() => {}) }], {
      clock,
      host: () => ({}) as Host,
      setupMs: 1000,
    })
    const [failure] = await Promise.all([chain.then(() => 'ready', String), clock.advance(1000)])
    expect(failure).toContain('plugin a: setup failed: not done within 1000 ms')
  })

  test('and the plugins set up before it are stopped', async () => {
    const stopped: string[] = []
    await expect(
      benchOf([
        plugin('a', {}, { stop: () => void stopped.push('a') }),
        { name: 'b', setup: () => Promise.reject(new Error('x')) },
      ]),
    ).rejects.toThrow('plugin b')
    expect(stopped).toEqual(['a'])
  })
})

test('a plugin is declared with a name of lower-case letters, digits and dashes', () => {
  expect(() => definePlugin({ name: 'Upper', setup: () => ({}) })).toThrow(TypeError)
  expect(definePlugin({ name: 'a-1', setup: () => ({}) }).name).toBe('a-1')
})

test('each plugin gets its own host', async () => {
  const seen: unknown[] = []
  const setup = (host: Host): object => (seen.push(host), {})
  await benchOf(
    [
      { name: 'a', setup },
      { name: 'b', setup },
    ],
    { host: name => ({ name }) as never },
  )
  expect(seen).toEqual([{ name: 'a' }, { name: 'b' }])
})

test('stop goes backwards, once, and survives a plugin that fails to', async () => {
  const stopped: string[] = []
  const { chain, errors } = await benchOf([
    plugin('a', {}, { stop: () => void stopped.push('a') }),
    plugin('b', {}, { stop: () => Promise.reject(new Error('stuck')) }),
    plugin('c', {}, { stop: () => void stopped.push('c') }),
  ])
  await Promise.all([chain.stop(), chain.stop()])
  expect(stopped).toEqual(['c', 'a'])
  expect(errors).toMatchObject([{ plugin: 'b', hook: 'stop' }])
})

test('what plugins provide is at hand: EHLO keywords, and transports that never reject', async () => {
  const { chain, ctx, errors } = await benchOf([
    plugin('a', {}, { provides: { ehlo: ['XCOOL 1 2'] } }),
    plugin(
      'b',
      {},
      {
        provides: {
          transports: {
            good: async arg => ({ fate: 'delivered', phase: 'local', cause: arg }),
            bad: () => Promise.reject(new Error('secret')),
            odd: async () => 'fine' as never,
          },
        },
      },
    ),
  ])
  const message = { headers: emptyHeaders, body: bodyOf(utf8('x')) }
  const run = (name: string): Promise<unknown> | undefined => chain.transports.get(name)?.('arg', message, ctx)
  expect(chain.ehlo).toEqual(['XCOOL 1 2'])
  expect(await run('good')).toEqual({ fate: 'delivered', phase: 'local', cause: 'arg' })
  expect(await run('bad')).toMatchObject({ fate: 'deferred', cause: 'transport bad failed' })
  expect(await run('odd')).toMatchObject({ fate: 'deferred' })
  expect(errors.map(e => [e.plugin, e.hook])).toEqual([
    ['b', 'transport'],
    ['b', 'transport'],
  ])
  const twice = { provides: { transports: { x: () => Promise.reject(new Error('x')) } } }
  await expect(benchOf([plugin('a', {}, twice), plugin('b', {}, twice)])).rejects.toThrow(
    /plugin b: another plugin provides/,
  )
})
