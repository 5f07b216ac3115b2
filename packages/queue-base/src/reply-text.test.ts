import { expect, it } from 'vitest'
import type { Attempt } from '@posthorn/contracts'
import { replyText } from './reply-text.ts'

const answered = (reply: NonNullable<Attempt['reply']>): Attempt => ({ at: 0, ms: 1, phase: 'rcpt', cause: '', reply })

it('is the reply on one line, with its enhanced code where it has one', () => {
  expect(replyText(answered({ code: 451, enhanced: '4.7.1', lines: ['Try again', 'later'] }))).toBe(
    '451 4.7.1 Try again later',
  )
  expect(replyText(answered({ code: 421, lines: ['Busy'] }))).toBe('421 Busy')
})
it('is bounded, and null when nobody replied', () => {
  expect(replyText(answered({ code: 550, lines: ['x'.repeat(1000)] }))?.length).toBe(500)
  expect(replyText(undefined)).toBeNull()
})
