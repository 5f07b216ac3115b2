import { expectTypeOf, test } from 'vitest'
import { isAddressLiteral, mailboxAt, parseDomain, parseMailbox } from './index.ts'
import type { Domain, LocalPart, Mailbox } from './index.ts'

test('a string that nobody checked is neither a domain nor a mailbox', () => {
  expectTypeOf<string>().not.toExtend<Domain>()
  expectTypeOf<LocalPart>().not.toExtend<Domain>()
  expectTypeOf<{ local: string; domain: string; wire: string }>().not.toExtend<Mailbox>()
  // @ts-expect-error not checked
  isAddressLiteral('example.org')
  // @ts-expect-error not checked
  mailboxAt('ann', 'example.org')
})

test('what parsing gives may be nothing', () => {
  expectTypeOf(parseMailbox('a@x')).toEqualTypeOf<Mailbox | undefined>()
  expectTypeOf(parseDomain('x')).toEqualTypeOf<Domain | undefined>()
  expectTypeOf<Domain>().toExtend<string>()
})
