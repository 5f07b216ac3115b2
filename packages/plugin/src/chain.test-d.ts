import { expectTypeOf, test } from 'vitest'
import type { Mailbox } from '@posthorn/address'
import type { Defer, Reject } from '@posthorn/reply'
import type { Awaitable, Route } from '@posthorn/contracts'
import type { Chain, Edit, HookFailure, OnMail, OnRcpt, Pass, Permit, Recipient, Resolved, Stop } from './index.ts'
import { createChain, isStop, Scope, stopReply } from './index.ts'

declare const chain: Chain
declare const mail: OnMail
declare const rcpt: OnRcpt
declare const recipient: Recipient

test('a decision is awaitable and never more than its hook may say', () => {
  expectTypeOf(chain.decide('mail', null, mail)).toEqualTypeOf<Awaitable<Pass | Stop>>()
  expectTypeOf(chain.decide('rcpt', recipient, rcpt)).toEqualTypeOf<Awaitable<Pass | Stop | Permit>>()
  // @ts-expect-error resolve is claimed, not decided
  void chain.decide('resolve', recipient, rcpt)
  // @ts-expect-error rcpt needs a context that knows who was accepted
  void chain.decide('rcpt', recipient, mail)
})

test('a claim is an answer, nothing, or a failure that names the plugin', () => {
  expectTypeOf(chain.claim('resolve', recipient, rcpt)).toEqualTypeOf<
    Awaitable<Resolved | Stop | undefined | HookFailure>
  >()
  expectTypeOf<ReturnType<typeof chain.claim<'returnPath'>>>().toEqualTypeOf<
    Awaitable<Mailbox | undefined | HookFailure>
  >()
  expectTypeOf<ReturnType<typeof chain.claim<'route'>>>().toEqualTypeOf<Awaitable<Route | undefined | HookFailure>>()
})

test('what is gathered is a list or a failure', () => {
  expectTypeOf<ReturnType<typeof chain.gather<'stamp'>>>().toEqualTypeOf<Awaitable<readonly Edit[] | HookFailure>>()
})

test('observing gives nothing to wait for', () => {
  expectTypeOf(chain.observe('closed', {}, mail)).toBeVoid()
})

test('only the configuration may say that failures pass', () => {
  const plugin = { name: 'x', setup: () => ({}) }
  const options = {} as Parameters<typeof createChain>[1]
  expectTypeOf(createChain).toBeCallableWith([plugin, { use: plugin, onError: 'pass' }], options)
  // @ts-expect-error there is no other word
  void createChain([{ use: plugin, onError: 'accept' }], options)
})

test('a scope is what contexts are built on', () => {
  class Context extends Scope {
    readonly service = 'mx'
  }
  expectTypeOf<Context>().toExtend<Pick<OnMail, 'service' | 'signal' | 'get' | 'set'>>()
})

test('a stop has a reply', () => {
  expectTypeOf(isStop).guards.toEqualTypeOf<Stop>()
  expectTypeOf(stopReply).returns.toEqualTypeOf<Defer | Reject>()
})
