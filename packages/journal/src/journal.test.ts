import { Writable } from 'node:stream'
import { describe, expect, test, vi } from 'vitest'
import { manualClock } from '@posthorn/testkit'
import type { Json } from '@posthorn/contracts'
import { createJournal } from './index.ts'

/** A stream that remembers its writes and can be slow. */
const memory = (o: { readonly slow?: boolean; readonly isTTY?: boolean } = {}) => {
  const writes: string[] = []
  let release: (() => void) | undefined
  const stream = new Writable({
    decodeStrings: false,
    highWaterMark: 64,
    write(chunk: string, _encoding, done) {
      writes.push(chunk)
      if (o.slow === true) release = done
      else done()
    },
  })
  return Object.assign(stream, {
    writes,
    isTTY: o.isTTY ?? false,
    release: () => release?.(),
    lines: () => writes.join('').split('\n').slice(0, -1),
  })
}
const clock = manualClock()

describe('json', () => {
  test('is one object a line with time, level, event and fields', async () => {
    const stream = memory()
    const journal = createJournal({ stream, format: 'json', level: 'info', clock })
    journal.event('session.opened', { ip: '192.0.2.1', port: 25, helo: undefined, tls: null })
    journal.event('error', { cause: 'x\n"y"' }, 'error')
    await journal.flush()
    expect(stream.lines().map(line => JSON.parse(line) as Json)).toEqual([
      {
        level: 'info',
        time: '2026-01-01T00:00:00.000Z',
        event: 'session.opened',
        ip: '192.0.2.1',
        port: 25,
        tls: null,
      },
      { level: 'error', time: '2026-01-01T00:00:00.000Z', event: 'error', cause: 'x\n"y"' },
    ])
  })
  test('a child adds its fields, also a child of a child', async () => {
    const stream = memory()
    const journal = createJournal({ stream, format: 'json', level: 'info', clock })
    journal.child({ session: 's1' }).child({ id: 'q1' }).event('message.received', { size: 3 })
    journal.event('service.ready', {})
    await journal.flush()
    const [child, root] = stream.lines().map(line => JSON.parse(line) as object)
    expect(child).toMatchObject({ session: 's1', id: 'q1', event: 'message.received', size: 3 })
    expect(root).not.toHaveProperty('session')
  })
  test('shows the time as it goes on', async () => {
    const stream = memory()
    const clock = manualClock()
    const journal = createJournal({ stream, format: 'json', level: 'info', clock })
    for (const ms of [7, 70, 1000]) {
      await clock.advance(ms)
      journal.event('service.ready', {})
    }
    await journal.flush()
    expect(stream.lines().map(line => (JSON.parse(line) as { time: string }).time.slice(17))).toEqual([
      '00.007Z',
      '00.077Z',
      '01.077Z',
    ])
  })
})

describe('text', () => {
  test('is one plain line on a pipe', async () => {
    const stream = memory()
    const journal = createJournal({ stream, format: 'text', level: 'info', clock })
    journal.child({ session: 's1' }).event('auth.failed', { user: 'bob', cause: 'wrong password' }, 'warn')
    await journal.flush()
    expect(stream.lines()).toEqual([
      '2026-01-01T00:00:00.000Z WARN  auth.failed session=s1 user=bob cause="wrong password"',
    ])
  })
  test('has colour on a terminal only', async () => {
    for (const isTTY of [true, false]) {
      const stream = memory({ isTTY })
      const journal = createJournal({ stream, format: 'text', level: 'info', clock })
      journal.event('service.ready', { name: 'mx' })
      await journal.flush()
      expect(stream.lines()[0]?.includes('\u001b[')).toBe(isTTY)
    }
  })
  test('holds nothing from outside that a terminal would obey', async () => {
    const stream = memory()
    const journal = createJournal({ stream, format: 'text', level: 'info', clock })
    journal.event('session.opened', { helo: '\u001b[2J\r\n\u009b31m\u202e\u0000', nested: { a: '\u001b\u009b' } })
    await journal.flush()
    expect(stream.writes.join('')).toMatch(/^[\x20-\x7e]+\n$/)
  })
})

test('secrets are hidden at any depth', async () => {
  for (const format of ['json', 'text'] as const) {
    const stream = memory()
    const journal = createJournal({ stream, format, level: 'info', clock })
    journal
      .child({ token: 'S3cret' })
      .event('auth.ok', { Password: 'S3cret', list: [{ secret: 'S3cret', deep: { pass: 'S3cret' } }], user: 'bob' })
    await journal.flush()
    expect(stream.writes.join('')).not.toContain('S3cret')
    expect(stream.writes.join('')).toContain('bob')
  }
})

test('a secret among plain fields is hidden too', async () => {
  const stream = memory()
  const journal = createJournal({ stream, format: 'json', level: 'info', clock })
  for (const name of ['Password', 'password', 'Password']) journal.event('auth.ok', { user: 'bob', [name]: 'S3cret' })
  await journal.flush()
  expect(stream.lines().map(line => Object.values(JSON.parse(line) as object).slice(3))).toEqual(
    Array.from({ length: 3 }, () => ['bob', '[hidden]']),
  )
})

test('events below the level are not written', async () => {
  const stream = memory()
  const journal = createJournal({ stream, format: 'json', level: 'warn', clock })
  journal.event('session.opened', {})
  journal.event('session.closed', {}, 'debug')
  journal.event('session.refused', {}, 'warn')
  await journal.flush()
  expect(stream.lines()).toHaveLength(1)
})

test('the lines of one turn leave in one write', async () => {
  const stream = memory()
  const journal = createJournal({ stream, format: 'json', level: 'info', clock })
  for (let i = 0; i < 100; i++) journal.event('session.opened', { i })
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  expect([stream.writes.length, stream.lines().length]).toEqual([1, 100])
})

test('a slow stream costs bounded memory, and the loss is told', async () => {
  const stream = memory({ slow: true })
  const journal = createJournal({ stream, format: 'json', level: 'info', clock })
  const cause = 'x'.repeat(1 << 20)
  for (let i = 0; i < 40; i++) {
    journal.event('error', { cause })
    if (i === 0) await new Promise(setImmediate)
  }
  stream.release()
  await new Promise(setImmediate)
  const flushed = journal.flush()
  for (let i = 0; i < 10; i++) {
    stream.release()
    await new Promise(setImmediate)
  }
  await flushed
  const last = JSON.parse(stream.lines().at(-1) ?? '') as { lines: number }
  expect(last).toMatchObject({ event: 'error', cause: 'log lines dropped' })
  expect(last.lines).toBeGreaterThan(20)
  expect(stream.lines().length - 1 + last.lines).toBe(40)
})

test('close writes what is there and then nothing more', async () => {
  const stream = memory()
  const journal = createJournal({ stream, format: 'json', level: 'info', clock })
  journal.event('service.stopped', {})
  await journal.close()
  journal.event('error', {})
  await journal.flush()
  expect(stream.lines()).toHaveLength(1)
})

test('a stream that breaks, and values that cannot be printed, disturb nobody', async () => {
  const stream = memory()
  const journal = createJournal({ stream, format: 'text', level: 'info', clock })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  journal.event('error', { circle: circle as never, big: 10n as never })
  stream.destroy(new Error('EPIPE'))
  await new Promise(setImmediate)
  journal.event('error', {})
  await journal.flush()
  await journal.close()
  expect(stream.destroyed).toBe(true)
})

test('a line leaves at once, and those of the next 10 ms together', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  try {
    const stream = memory()
    const journal = createJournal({ stream, format: 'json', level: 'info', clock })
    const say = async (): Promise<void> => {
      journal.event('service.ready', {})
      await new Promise(setImmediate)
    }
    await say()
    expect(stream.writes).toHaveLength(1)
    await say()
    await say()
    vi.advanceTimersByTime(9)
    expect(stream.writes).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(stream.writes).toHaveLength(2)
    expect(stream.lines()).toHaveLength(3)
    // Nothing came since: the next one need not wait.
    vi.advanceTimersByTime(10)
    await say()
    expect(stream.writes).toHaveLength(3)
  } finally {
    vi.useRealTimers()
  }
})
