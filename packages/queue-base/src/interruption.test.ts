import { expect, test } from 'vitest'
import { isSuspect, judgeSuspects } from './interruption.ts'

const now = 1_000_000
const suspect = (message: number, interrupted: number) => ({ message, interrupted, due: now })

test('the fifth interruption in a row makes a suspect', () => {
  expect([0, 3, 4, 5, 9].map(interrupted => isSuspect({ interrupted }))).toEqual([false, false, true, true, true])
})

test('many suspects of one crash come due at few times, so that the next crash leaves a sixteenth of them, and then one', () => {
  let left = Array.from({ length: 200 }, (_, i) => suspect(i, 4))
  const sizes: number[] = []
  for (let crash = 0; crash < 9; crash++) {
    const sentences = judgeSuspects(left, now)
    if (sentences[0]?.held) break
    const first = sentences[0]?.due
    left = left.flatMap((s, i) => {
      const sentence = sentences[i]
      return sentence?.due === first ? [{ ...s, interrupted: sentence?.interrupted ?? 0 }] : []
    })
    sizes.push(left.length)
  }
  expect(sizes).toEqual([13, 1, 1, 1])
})

test('in company a suspect stays what it is, however often; a hold needs three interruptions alone', () => {
  for (const interrupted of [5, 6, 7, 50]) {
    const [one] = judgeSuspects([suspect(1, interrupted), suspect(2, 4)], now)
    expect(one).toMatchObject({ interrupted, held: false })
  }
  expect([4, 5, 6, 7].map(interrupted => judgeSuspects([suspect(1, interrupted)], now)[0]?.held)).toEqual([
    false,
    false,
    false,
    true,
  ])
})

test('what is put off waits no longer than an hour and its part, and no less than it did', () => {
  const [first, second] = judgeSuspects([suspect(1, 90), suspect(2, 90)], now)
  expect([first?.due, second?.due]).toEqual([now + 3_600_000, now + 3_600_000 * (17 / 16)])
  const late = now + 86_400_000
  expect(judgeSuspects([{ message: 1, interrupted: 4, due: late }], now)[0]?.due).toBe(late)
})
