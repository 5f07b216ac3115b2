import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { scratch } from '../test/scratch.ts'
import { deliver } from './deliver.ts'
import { createFolder } from './folder.ts'
import { createMaildir, type Maildir } from './maildir.ts'
import { addUsage, fitsQuota, parseMaildirsize, readQuota, resetQuota } from './quota.ts'

const maildir = async (): Promise<Maildir> => createMaildir(join(await scratch(), 'm'), { sync: false })

test('limits and changes are read from a maildirsize file', () => {
  expect(parseMaildirsize('1000000S,100C\n5000 3\n-1000 -1\n')).toEqual({
    limits: { bytes: 1_000_000, messages: 100 },
    used: { bytes: 4000, messages: 2 },
    stale: false,
  })
})

test('a limit of zero is none', () => {
  expect(parseMaildirsize('0S,5C\n').limits).toEqual({ messages: 5 })
})

test.each(['1S\nnonsense\n', '1S\n-5 0\n', `1S\n${'1 1\n'.repeat(2000)}`])(
  'a file that cannot be right asks for a count',
  text => {
    expect(parseMaildirsize(text).stale).toBe(true)
  },
)

test('no content makes the parser throw', () => {
  expect.hasAssertions()
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789SC, -\n\0'.split('')) }), text => {
      expect(parseMaildirsize(text).used.bytes).toBeTypeOf('number')
    }),
  )
})

test('a message fits up to the limit and not beyond it', () => {
  const quota = { limits: { bytes: 100, messages: 3 }, used: { bytes: 60, messages: 2 }, stale: false }
  expect(fitsQuota(quota, 40)).toBe(true)
  expect(fitsQuota(quota, 41)).toBe(false)
  expect(fitsQuota({ ...quota, used: { bytes: 0, messages: 3 } }, 1)).toBe(false)
  expect(fitsQuota({ ...quota, limits: {} }, 10 ** 12)).toBe(true)
})

test('a count covers folders but neither trashed messages nor the folder Trash', async () => {
  const m = await maildir()
  await deliver(m, [new Uint8Array(10)])
  await deliver(await createFolder(m, ['Work']), [new Uint8Array(20)])
  await deliver(await createFolder(m, ['Trash']), [new Uint8Array(40)])
  await writeFile(join(m.path, 'cur', '1.a.h:2,T'), 'deleted')
  await resetQuota(m, { bytes: 500 })
  expect(await readFile(join(m.path, 'maildirsize'), 'utf8')).toBe('500S\n30 2\n')
  await addUsage(m, { bytes: 5, messages: 1 })
  expect(await readQuota(m)).toEqual({ limits: { bytes: 500 }, used: { bytes: 35, messages: 3 }, stale: false })
})

test('without a maildirsize file there is no quota, and telling it of usage makes none', async () => {
  const m = await maildir()
  await addUsage(m, { bytes: 1, messages: 1 })
  expect(await readQuota(m)).toBeUndefined()
})
