import { expect, it } from 'vitest'
import { hintedPause, isGreylisting } from './hint.ts'

const said = (...lines: string[]): number | undefined => hintedPause({ lines })

it.each([
  ['Greylisted, please try again in 300 seconds', 300_000],
  ['Try again in 5 minutes', 300_000],
  ['greylisted for 5 min.', 300_000],
  ['Greylisting in action, please come back in 00:05:00', 300_000],
  ['Too many messages, retry after 2 hours', 7_200_000],
  ['Delivery temporarily deferred for 90s', 90_000],
  ['please wait at least 60 secs', undefined],
  ['please wait for at least 60 secs', 60_000],
])('takes from %j the pause that it names', (text, ms) => {
  expect(said(text)).toBe(ms)
})

it('reads a hint that goes over two lines of a reply', () => {
  expect(said('your message was greylisted, try again', 'in 10 minutes')).toBe(600_000)
})

it.each([
  ['Mailbox is full'],
  ['Greylisted, see http://postgrey.schweikert.ch/help/example.org.html'],
  ['No more than 20 messages in 5 minutes from you'],
  ['Try again in a while'],
  ['Try again in 99999999 seconds'],
  [''],
])('finds none in %j', text => {
  expect(said(text)).toBeUndefined()
})

it('looks at the beginning of a long reply only', () => {
  expect(said('x'.repeat(1000), 'try again in 5 minutes')).toBeUndefined()
  expect(said(...Array.from({ length: 100 }, () => 'again in in in '.repeat(30)))).toBeUndefined()
})

it('knows greylisting in either spelling, and nothing else for it', () => {
  const reply = (text: string) => ({ reply: { code: 450, enhanced: '4.7.1', lines: [text] } })
  expect([reply('Greylisted'), reply('graylisting in action'), reply('grey-listed')].every(isGreylisting)).toBe(true)
  expect(isGreylisting(reply('too many messages'))).toBe(false)
  expect(isGreylisting({})).toBe(false)
})
