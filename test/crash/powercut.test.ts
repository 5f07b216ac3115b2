import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { suite } from '../peers/needs.ts'
import { teardown } from '../peers/teardown.ts'
import type { Finding } from './powercut/check.ts'
import { exploreAll } from './powercut/explore.ts'
import { record, type Recording } from './powercut/record.ts'

suite('row 46: the plug is pulled', ['strace'], () => {
  const undo = teardown()
  let recording: Recording
  let scratch: string
  beforeAll(async () => {
    scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'posthorn-powercut-'))
    undo(() => rmSync(scratch, { recursive: true, force: true }))
    recording = await record(scratch, { messages: 30, seed: 7 })
  })
  const plan = { seed: 7, parts: 2 }

  test('at every sync and between them: what was promised is there, whole, once, and nothing left keeps the store from opening', async () => {
    const explored = await exploreAll({ ...plan, ...recording, scratch, every: 100, torn: 0.25 })
    expect(explored.findings).toEqual([])
    expect(explored.syncs).toBeGreaterThan(200)
    expect(explored.images).toBeGreaterThan(300)
  }, 300_000)

  // What is found shows that the checker would see it; that nothing is found with all syncs, that none is missing.
  const syncs: Readonly<Record<string, readonly [RegExp, ...(readonly Finding['kind'][])]>> = {
    'any sync': [/./, 'lost'],
    'the sync of the log': [/queue\.db-wal$/, 'lost'],
    'the sync of the database, before its log is begun anew': [/queue\.db$/, 'fatal'],
    // Set aside where its length tells, which is lost; where octets are missing in its middle, nothing tells.
    'the sync of spooled content': [/spool\/\w+$/, 'lost', 'torn'],
    'the sync of the spool directory': [/spool\/$/, 'lost'],
    'the sync of the name of the state directory': [/^\/var\/$/, 'lost'],
    'the sync of a mail in tmp': [/tmp\/[^/]+$/, 'torn'],
    'the sync of new': [/new\/$/, 'lost'],
  }
  for (const [what, [ignoreSync, ...kinds]] of Object.entries(syncs))
    test(`without ${what} mail would be ${kinds.join(' or ')}, and that is found`, async () => {
      const explored = await exploreAll({
        ...plan,
        ...recording,
        scratch,
        every: 100,
        torn: 1,
        ignoreSync,
        first: true,
      })
      const found = explored.findings.map(finding => finding.kind)
      expect(found.filter(kind => kinds.includes(kind))).not.toEqual([])
    }, 120_000)
})
