import { expect, test } from 'vitest'
import { sampleMailbox, sampleMessage, sampleRecipient } from '@posthorn/testkit'
import type { QueueId } from '@posthorn/contracts'
import { messageFrom, messageJson } from './message-file.ts'

const message = sampleMessage({
  envelope: {
    user: 'ann',
    envid: 'Q1',
    ret: 'hdrs',
    deliverBy: { at: 8e12, mode: 'notify', trace: true },
    returnPath: { ...sampleMailbox('a b@here.test'), wire: '"a b"@here.test' },
    origin: 'submission',
  },
  recipients: [
    sampleRecipient('bob@there.test', { notify: ['delay'], orcpt: 'rfc822;x@y.test', due: 5, returnPath: null }),
    sampleRecipient('eve@there.test', { notify: 'never' }),
  ],
  priority: -2,
  tags: ['vip'],
  held: 'look',
  facts: { session: 's' },
  expires: 9e12,
})
const file = JSON.stringify(messageJson('id' as QueueId, message))

test('what is exported is imported as it was', () => {
  expect(messageFrom(file)).toEqual(message)
  const bounce = sampleMessage({ envelope: { returnPath: null, origin: 'bounce' } })
  expect(messageFrom(JSON.stringify(messageJson('id' as QueueId, bounce)))).toEqual(bounce)
})

test.each([
  ['', /no JSON/],
  ['[]', /the file is no object/],
  ['{"recipients":[]}', /no recipient/],
  [file.replace('bob@there.test', 'bob at there'), /"bob at there", which is no address/],
  [file.replace('mx:there.test', '../../etc'), /"\.\.\/\.\.\/etc" is no site/],
  [file.replace('"submission"', '"elsewhere"'), /origin is "elsewhere", not one of mx, submission/],
  [file.replace('"smtputf8":false', '"smtputf8":"no"'), /smtputf8 is neither true nor false/],
  [file.replace('"notify","trace"', '"maybe","trace"'), /mode of deliverBy is "maybe", not one of return, notify/],
  [file.replace('"priority":-2', '"priority":"high"'), /priority is no number/],
])('a file that is no message is refused in words (%#)', (text, problem) => {
  expect(messageFrom(text)).toMatch(problem)
})
