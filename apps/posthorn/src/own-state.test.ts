import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Failure } from './failure.ts'
import { refuseForeignState } from './own-state.ts'

test("another user's state directory is refused with what to do, our own and one that is not there yet are not", () => {
  const us = process.geteuid?.() ?? 0
  const ours = import.meta.dirname
  expect(() => refuseForeignState(ours, us)).not.toThrow()
  expect(() => refuseForeignState(join(tmpdir(), 'posthorn-nowhere'), us)).not.toThrow()
  expect(() => refuseForeignState(ours, us + 1)).toThrow(Failure)
  expect(() => refuseForeignState(ours, us + 1)).toThrow(
    `${ours} belongs to user id ${us}, and this process runs as ${us + 1}: run the command as that user`,
  )
})
