import { expect, test } from 'vitest'
import { warningToRoot } from './as-root.ts'

test('root is told what to do instead, unless root is meant; nobody else is', () => {
  expect(warningToRoot(0, undefined)).toMatch(/^this runs as root, .*User= in a systemd unit, .*CAP_NET_BIND_SERVICE/)
  expect(warningToRoot(0, '0')).toBeDefined()
  expect(warningToRoot(0, '1')).toBeUndefined()
  expect(warningToRoot(1000, undefined)).toBeUndefined()
})
