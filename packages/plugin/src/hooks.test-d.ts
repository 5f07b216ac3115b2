import { assertType, describe, expectTypeOf, test } from 'vitest'
import { accept, defer, reject } from '@posthorn/reply'
import type { Mailbox } from '@posthorn/address'
import type { Hooks, Message, Plugin, Recipient } from './index.ts'
import { definePlugin, pass, permit, slot } from './index.ts'

const no = reject(550, '5.7.1', 'No')
declare const box: Mailbox
declare const plain: { local: string; domain: string }

describe('an answer that a hook cannot give does not compile:', () => {
  test('a forgotten return', () => {
    assertType<Hooks>({
      // @ts-expect-error one branch answers nothing
      message: m => {
        if (m.body.size > 5) reject(550, '5.7.1', 'No')
      },
    })
    // @ts-expect-error nothing at all is answered
    assertType<Hooks>({ mail: () => {} })
    // @ts-expect-error nor in an async hook
    assertType<Hooks>({ data: async () => {} })
    // @ts-expect-error an undefined answer decides nothing
    assertType<Hooks>({ rcpt: () => undefined })
  })

  test('permit anywhere but in rcpt', () => {
    assertType<Hooks>({ rcpt: () => permit })
    // @ts-expect-error only rcpt may permit
    assertType<Hooks>({ mail: () => permit })
    // @ts-expect-error only rcpt may permit
    assertType<Hooks>({ connect: () => permit })
    // @ts-expect-error only rcpt may permit
    assertType<Hooks>({ message: () => permit })
  })

  test('strings, numbers, booleans, null', () => {
    // @ts-expect-error a string is no reply
    assertType<Hooks>({ mail: () => '550 No' })
    // @ts-expect-error nor is a number
    assertType<Hooks>({ mail: () => 550 })
    // @ts-expect-error nor a boolean
    assertType<Hooks>({ mail: () => true })
    // @ts-expect-error nor null
    assertType<Hooks>({ mail: () => null })
  })

  test('an acceptance: a hook cannot answer for the queue', () => {
    // @ts-expect-error class 2 does not stop
    assertType<Hooks>({ mail: () => accept(250, '2.0.0', 'Ok') })
    // @ts-expect-error nor may it be the last word of a connection
    assertType<Hooks>({ connect: () => ({ hangUp: accept(250, '2.0.0', 'Ok') }) })
  })

  test('hold, discard and answers per recipient but at message', () => {
    assertType<Hooks>({ message: () => ({ hold: 'why' }) })
    assertType<Hooks>({ message: (_m, c) => ({ each: new Map(c.accepted.map(r => [r, no])) }) })
    assertType<Hooks>({ attempt: () => ({ hold: 'why' }) })
    // @ts-expect-error there is no message to hold yet
    assertType<Hooks>({ data: () => ({ hold: 'why' }) })
    // @ts-expect-error a message that is in the queue is not discarded by policy
    assertType<Hooks>({ attempt: () => ({ discard: 'why' }) })
  })

  test('an edit that a hook may not make', () => {
    assertType<Hooks>({ stamp: () => ({ remove: ['X-Spam'], tags: ['t'] }) })
    assertType<Hooks>({ seal: () => ({ prepend: [['DKIM-Signature', 'v=1']] }) })
    // @ts-expect-error seal runs last: removing a field would break the signatures made before
    assertType<Hooks>({ seal: () => ({ prepend: [], remove: ['Received'] }) })
    // @ts-expect-error nor may it add recipients
    assertType<Hooks>({ seal: async () => ({ addRecipients: [{ to: box }] }) })
    // @ts-expect-error fields are pairs, not lines
    assertType<Hooks>({ stamp: () => ({ prepend: ['X-A: b'] }) })
    // @ts-expect-error stamp does not refuse
    assertType<Hooks>({ stamp: () => no })
  })

  test('an address that was not checked', () => {
    assertType<Hooks>({ returnPath: () => box })
    // @ts-expect-error two strings are no mailbox
    assertType<Hooks>({ returnPath: () => plain })
    // @ts-expect-error nor in an expansion
    assertType<Hooks>({ resolve: () => ({ expand: [{ to: plain }] }) })
  })

  test('a reply whose class and code disagree', () => {
    // @ts-expect-error 550 is no deferral
    assertType<Hooks>({ mail: () => defer(550, '4.7.1', 'x') })
    // @ts-expect-error 4.7.1 is no rejection
    assertType<Hooks>({ mail: () => reject(550, '4.7.1', 'x') })
  })

  test('a hook that does not exist', () => {
    // @ts-expect-error a typing mistake in the name
    assertType<Hooks>({ rctp: () => pass })
    // @ts-expect-error an order that there is not
    assertType<Hooks>({ mail: { run: () => pass, order: 'first' } })
  })
})

describe('the context grows with the dialogue:', () => {
  test('no sender at connect, no recipients at mail, all of it at message', () => {
    // @ts-expect-error nobody has said MAIL yet
    assertType<Hooks>({ connect: (_, c) => (c.sender === null ? no : pass) })
    // @ts-expect-error nobody has said RCPT yet
    assertType<Hooks>({ mail: (_, c) => (c.accepted.length ? no : pass) })
    assertType<Hooks>({
      message: (m, c) => {
        expectTypeOf(m).toEqualTypeOf<Message>()
        expectTypeOf(c.sender).toEqualTypeOf<Mailbox | null>()
        expectTypeOf(c.accepted).toEqualTypeOf<readonly Recipient[]>()
        expectTypeOf(c.helo).toBeString()
        return pass
      },
    })
  })

  test('slots keep their type', () => {
    const spf = slot<'pass' | 'fail'>('spf')
    assertType<Hooks>({
      mail: (_, c) => {
        expectTypeOf(c.get(spf)).toEqualTypeOf<'pass' | 'fail' | undefined>()
        // @ts-expect-error softfail is not one of them
        c.set(spf, 'softfail')
        return pass
      },
    })
  })

  test('nothing of the context or the input may be changed', () => {
    assertType<Hooks>({
      rcpt: (r, c) => {
        // @ts-expect-error the recipient is not the plugin's
        r.to = box
        // @ts-expect-error nor the list of those accepted
        c.accepted.push(r)
        return pass
      },
    })
  })
})

test('a plugin answers later or at once, and is data', () => {
  expectTypeOf(definePlugin).returns.toEqualTypeOf<Plugin>()
  assertType<Plugin>({ name: 'x', setup: async () => ({ mail: async () => pass, ehlo: () => no }) })
  // @ts-expect-error setup must give hooks
  assertType<Plugin>({ name: 'x', setup: () => {} })
})
