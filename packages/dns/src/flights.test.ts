import { expect, test } from 'vitest'
import { createFlights } from './flights.ts'

const started = () => {
  const flights = createFlights<string>()
  const signals: AbortSignal[] = []
  const { promise, resolve } = Promise.withResolvers<string>()
  const start = (signal: AbortSignal): Promise<string> => {
    signals.push(signal)
    return promise
  }
  return { flights, signals, start, land: resolve }
}

test('equal work under way is shared', async () => {
  const { flights, signals, start, land } = started()
  const both = Promise.all([flights.join('a', start), flights.join('a', start)])
  land('done')
  expect(await both).toEqual(['done', 'done'])
  expect(signals).toHaveLength(1)
  await flights.join('a', start)
  expect(signals).toHaveLength(2)
})
test('one who leaves does not end it for the others; the last one does', async () => {
  const { flights, signals, start } = started()
  const [one, two] = [new AbortController(), new AbortController()]
  const first = flights.join('a', start, one.signal)
  const second = flights.join('a', start, two.signal)
  one.abort(new Error('first left'))
  await expect(first).rejects.toThrow('first left')
  expect(signals[0]?.aborted).toBe(false)
  two.abort(new Error('second left'))
  await expect(second).rejects.toThrow('second left')
  expect(signals[0]?.aborted).toBe(true)
})
test('work given up is not joined by who comes later', async () => {
  const { flights, signals, start, land } = started()
  const leaving = new AbortController()
  const left = flights.join('a', start, leaving.signal)
  leaving.abort(new Error('left'))
  await expect(left).rejects.toThrow('left')
  const next = flights.join('a', start)
  land('done')
  expect(await next).toBe('done')
  expect(signals).toHaveLength(2)
})
test('a signal aborted already starts nothing', async () => {
  const { flights, signals, start } = started()
  await expect(flights.join('a', start, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  expect(signals).toHaveLength(0)
})
