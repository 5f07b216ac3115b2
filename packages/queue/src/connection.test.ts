import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { closedUnless, openWriter } from './connection.ts'

/** How many descriptors of this process are open on a file. */
const descriptorsOf = (path: string): number => {
  const open = readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  })
  return open.length
}

test.runIf(process.platform === 'linux')(
  'row 47: a store that cannot be opened keeps no descriptor, however often it is tried',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'queue-'))
    try {
      const garbage = join(directory, 'garbage')
      writeFileSync(garbage, 'x'.repeat(10_000))
      for (let i = 0; i < 10; i++) expect(() => openWriter(garbage, { sync: true })).toThrow('not a database')
      expect(descriptorsOf(garbage)).toBe(0)
      const path = join(directory, 'store')
      const refuse = (): never => {
        expect(descriptorsOf(path)).toBe(1)
        throw new Error('of a newer release')
      }
      expect(() => closedUnless(new DatabaseSync(path), refuse)).toThrow('of a newer release')
      expect(descriptorsOf(path)).toBe(0)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)
