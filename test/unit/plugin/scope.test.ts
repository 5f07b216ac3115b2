import { describe, expect, test } from 'vitest'
import { newSlots, Scope, slot } from '@posthorn/plugin'

const colour = slot<string>('colour')

describe('slots', () => {
  test('of a transaction fall back to those of its connection, and do not leak into the next transaction', () => {
    const connection = new Scope()
    const first = new Scope(connection)
    connection.set(colour, 'red')
    expect(first.get(colour)).toBe('red')
    first.set(colour, 'blue')
    expect(first.get(colour)).toBe('blue')
    expect(new Scope(connection).get(colour)).toBe('red')
  })

  test('with one name are two places', () => {
    const scope = new Scope()
    scope.set(colour, 'red')
    expect(scope.get(slot<string>('colour'))).toBeUndefined()
  })

  test('can be spread into a plain context', () => {
    const parent = newSlots()
    const context = { service: 'mx', ...newSlots(parent) }
    parent.set(colour, 'red')
    expect(context.get(colour)).toBe('red')
    context.set(colour, 'blue')
    expect(context.get(colour)).toBe('blue')
    expect(parent.get(colour)).toBe('red')
  })
})

describe('the signal of a scope', () => {
  test('is one for a connection and its transactions', () => {
    const connection = new Scope()
    expect(new Scope(connection).signal).toBe(connection.signal)
  })

  test('aborts at a deadline, and who asks afterwards gets a fresh one', () => {
    const scope = new Scope()
    const before = scope.signal
    scope.expire('late')
    expect(before.aborted).toBe(true)
    expect(before.reason).toBe('late')
    expect(scope.signal.aborted).toBe(false)
  })

  test('stays aborted once the client has gone, also for who asks only then', () => {
    const read = new Scope()
    const { signal } = read
    const unread = new Scope()
    const transaction = new Scope(unread)
    for (const scope of [read, unread]) {
      scope.end('gone')
      scope.end('again')
      scope.expire('late')
    }
    expect(signal.reason).toBe('gone')
    expect(read.signal.aborted).toBe(true)
    expect(transaction.signal.reason).toBe('gone')
  })

  test('follows an outer signal, which is read only when a plugin reads ours', () => {
    const outer = new AbortController()
    let reads = 0
    const scope = new Scope({
      get signal() {
        reads += 1
        return outer.signal
      },
    })
    scope.expire('late')
    expect(reads).toBe(0)
    const { signal } = scope
    outer.abort('stop')
    expect(signal.reason).toBe('stop')
    expect(new Scope({ signal: outer.signal }).signal.reason).toBe('stop')
  })
})
