import { expectTypeOf, test } from 'vitest'
import { accept, defer, isDefer, isReject, isReply, noSuchMailbox, reject } from './index.ts'
import type { Defer, Reject, Reply } from './index.ts'

test('code, status and class agree or do not compile', () => {
  expectTypeOf(reject(550, '5.7.1', 'x')).toEqualTypeOf<Reject>()
  expectTypeOf(defer(451, '4.7.1', 'x')).toEqualTypeOf<Defer>()
  // @ts-expect-error 450 is not of class 5
  reject(450, '5.7.1', 'x')
  // @ts-expect-error 4.7.1 is not of class 5
  reject(550, '4.7.1', 'x')
  // @ts-expect-error a reply says something
  accept(250, '2.0.0')
})

test('a reject is not a defer', () => {
  expectTypeOf(noSuchMailbox).not.toExtend<Defer>()
  expectTypeOf(noSuchMailbox).toExtend<Reply>()
})

test('isReply, isDefer and isReject narrow', () => {
  expectTypeOf(isReply).guards.toEqualTypeOf<Reply>()
  expectTypeOf(isDefer).guards.toEqualTypeOf<Defer>()
  expectTypeOf(isReject).guards.toEqualTypeOf<Reject>()
})
