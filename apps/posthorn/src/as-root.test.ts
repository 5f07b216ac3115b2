import { expect, test } from 'vitest'
import { objectToRoot } from './as-root.ts'
import { Failure } from './failure.ts'

const config = 'posthorn.config.ts'

test('a configured server that root starts is refused with what to do instead, unless that is allowed', () => {
  expect(() => objectToRoot({ config, allowRoot: false }, 0)).toThrow(Failure)
  expect(() => objectToRoot({ config, allowRoot: false }, 0)).toThrow(
    /User= in a systemd unit, .*CAP_NET_BIND_SERVICE .*--allow-root/,
  )
  expect(objectToRoot({ config, allowRoot: true }, 0)).toBeUndefined()
  expect(objectToRoot({ config, allowRoot: false }, 1000)).toBeUndefined()
})

test('development mode goes on as root, and says that it need not', () => {
  expect(objectToRoot({ allowRoot: false }, 0)).toMatch(/^this runs as root, .*with --config it would be refused$/)
  expect(objectToRoot({ allowRoot: false }, 1000)).toBeUndefined()
})
