import { expect, test } from 'vitest'
import { asStoreError } from './store-error.ts'

/** As Node throws them. */
const systemError = (code: string, errno: number): Error => Object.assign(new Error(code), { code, errno })

test('row 47: no room and a used-up share, which Node cannot name, are full; any other failure is not', () => {
  const full = (code: string, errno: number): boolean => asStoreError(systemError(code, errno), 'writing').full
  expect(full('ENOSPC', -28)).toBe(true)
  expect(full('Unknown system error -122', -122)).toBe(true)
  expect(full('EIO', -5)).toBe(false)
})
