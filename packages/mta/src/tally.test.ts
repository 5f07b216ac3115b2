import type { Outcome } from '@posthorn/contracts'
import { describe, expect, it } from 'vitest'
import { movesOn, Tally } from './tally.ts'

const outcome = (fate: Outcome['fate'], phase: Outcome['phase'], code?: number, enhanced?: string): Outcome => ({
  fate,
  phase,
  cause: 'x',
  ...(code === undefined
    ? undefined
    : { reply: { code, lines: ['x'], ...(enhanced === undefined ? undefined : { enhanced }) } }),
})

describe('movesOn', () => {
  it.each([
    ['a connection refused', outcome('deferred', 'connect')],
    ['a greeting of 554', outcome('failed', 'banner', 554)],
    ['a failed handshake', outcome('deferred', 'tls')],
    ['a deferred MAIL', outcome('deferred', 'mail', 451, '4.7.1')],
    ['421 at RCPT', outcome('deferred', 'rcpt', 421)],
    ['a full system at RCPT', outcome('deferred', 'rcpt', 452, '4.3.1')],
    ['a connection lost in the content', outcome('deferred', 'data')],
  ])('asks the next host after %s', (_, x) => expect(movesOn(x)).toBe(true))
  it.each([
    ['a success', outcome('relayed', 'dot', 250)],
    ['a recipient refused', outcome('failed', 'rcpt', 550, '5.1.1')],
    ['a sender refused', outcome('failed', 'mail', 550, '5.7.1')],
    ['greylisting', outcome('deferred', 'rcpt', 450, '4.7.1')],
    ['a deferral without a status at RCPT', outcome('deferred', 'rcpt', 451)],
    ['content deferred', outcome('deferred', 'dot', 451, '4.7.1')],
    ['a connection lost after the dot', outcome('unknown', 'dot')],
  ])('asks no other host after %s', (_, x) => expect(movesOn(x)).toBe(false))
})

describe('Tally', () => {
  it('keeps what is final and leaves the rest open', () => {
    const tally = new Tally(3)
    tally.note(0, outcome('relayed', 'dot', 250))
    tally.note(1, outcome('failed', 'rcpt', 550))
    tally.note(2, outcome('deferred', 'rcpt', 421))
    expect(tally.open).toEqual([2])
    expect(tally.outcomes(outcome('deferred', 'connect')).map(o => o.fate)).toEqual(['relayed', 'failed', 'deferred'])
  })
  it('lets one host that defers outweigh another that refuses us altogether, in either order', () => {
    const defers = outcome('deferred', 'connect')
    const refuses = outcome('failed', 'banner', 554)
    for (const order of [
      [defers, refuses],
      [refuses, defers],
    ]) {
      const tally = new Tally(1)
      for (const x of order) tally.note(0, x)
      expect(tally.outcomes(defers)[0]?.fate).toBe('deferred')
    }
    const tally = new Tally(1)
    tally.note(0, refuses)
    tally.note(0, refuses)
    expect(tally.outcomes(defers)[0]?.fate).toBe('failed')
  })
  it('lets a final word of a later host replace an earlier deferral', () => {
    const tally = new Tally(1)
    tally.note(0, outcome('deferred', 'connect'))
    tally.note(0, outcome('failed', 'rcpt', 550))
    expect(tally.outcomes(outcome('deferred', 'connect'))[0]?.fate).toBe('failed')
  })
})
