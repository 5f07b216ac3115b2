import { constants } from 'node:os'
import { expect, test } from 'vitest'
import { asMaildirError } from './error.ts'

test('row 47: a used-up share is told as such, although Node has no name for it', () => {
  const errno = -constants.errno.EDQUOT
  const error = Object.assign(new Error('unknown'), { code: `Unknown system error ${errno}`, errno })
  expect(asMaildirError(error, 'write')).toMatchObject({ fault: 'quota', message: 'write: EDQUOT' })
})
