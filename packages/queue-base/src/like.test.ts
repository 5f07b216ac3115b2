import { expect, it } from 'vitest'
import { escapeLike, likePattern } from './like.ts'

it('finds text anywhere when nothing else is said, and with stars just where they let it be', () => {
  expect(likePattern('later')).toBe('%later%')
  expect(likePattern('*@example.org')).toBe('%@example.org')
  expect(likePattern('a*b')).toBe('a%b')
})
it('lets no other character stand for anything but itself', () => {
  expect(escapeLike('100%_\\')).toBe('100\\%\\_\\\\')
  expect(likePattern('50%*')).toBe('50\\%%')
})
