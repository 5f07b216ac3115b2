import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { run } from '../peers/command.ts'
import { suite } from '../peers/needs.ts'
import { root as checkout } from '../peers/posthorn.ts'
import { teardown } from '../peers/teardown.ts'
import { check } from './powercut/check.ts'
import { noPromises, promise } from './powercut/promises.ts'

/** Which calls fail, how, and whether for good. */
interface Fault {
  readonly calls: string
  /** Of the state directory; every file when absent. */
  readonly file?: string
  readonly error: string
  /** Of each thread's calls; `5+` is the fifth and all that follow. */
  readonly when: string
  readonly tries?: number
}

const workload = fileURLToPath(new URL('./faults/workload.ts', import.meta.url))

suite('row 47: a disk that fails', ['strace'], () => {
  const undo = teardown()
  let scratch: string
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'posthorn-faults-'))
    undo(() => rmSync(scratch, { recursive: true, force: true }))
  })

  /** Run the workload on such a disk, then open what it left on a good one. */
  const outcome = async ({ calls, file, error, when, tries = 40 }: Fault) => {
    const root = mkdtempSync(join(scratch, 'root-'))
    mkdirSync(join(root, 'var'))
    const only = file === undefined ? [] : ['-P', join(root, 'var', 'queue', file)]
    const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:${error}:when=${when}`, '-e', 'signal=none']
    const node = [join(checkout, 'node_modules/node/bin/node'), '--disable-warning=ExperimentalWarning']
    const program = [...node, '-C', '@posthorn/source', workload, root, '30', String(tries)]
    const ran = await run('strace', ['-f', '-qq', '-o', '/dev/null', ...only, ...inject, ...program], {
      timeoutMs: 55_000,
    })
    const lines = ran.stdout.trim().split('\n')
    const promised = noPromises()
    for (const line of lines) {
      promise(promised, line)
      // A full disk was rolled back: what was refused so is nowhere.
      if (line.startsWith('full ')) promised.left.add(`${line.split(' ')[1]} r0`)
    }
    return {
      code: ran.code,
      stderr: ran.stderr,
      closed: lines.at(-1) === 'closed',
      accepted: promised.accepted.size,
      full: lines.filter(line => line.startsWith('full ')).length,
      failed: lines.filter(line => line.startsWith('failed ')).length,
      findings: await check(root, promised),
    }
  }

  const log = 'queue.db-wal'
  // SQLite knows a full disk by a write, and neither by a sync nor by a used-up share.
  const passing: Readonly<Record<string, Fault & { readonly says: 'full' | 'failed' }>> = {
    'no room for a write of the log': { calls: 'pwrite64', file: log, error: 'error=ENOSPC', when: '60', says: 'full' },
    'no share left for a write of the log': {
      calls: 'pwrite64',
      file: log,
      error: 'error=EDQUOT',
      when: '60',
      says: 'failed',
    },
    'a write of the log that fails': { calls: 'pwrite64', file: log, error: 'error=EIO', when: '61', says: 'failed' },
    'a sync of the log that fails': {
      calls: 'fsync,fdatasync',
      file: log,
      error: 'error=EIO',
      when: '4',
      says: 'failed',
    },
    'a sync of the log without room': {
      calls: 'fsync,fdatasync',
      file: log,
      error: 'error=ENOSPC',
      when: '5',
      says: 'failed',
    },
    'no room for a write of the spool': { calls: 'writev', error: 'error=ENOSPC', when: '2', says: 'full' },
    'no share left for a write of the spool': { calls: 'writev', error: 'error=EDQUOT', when: '1', says: 'full' },
    'a write of the spool that fails': { calls: 'writev', error: 'error=EIO', when: '2', says: 'failed' },
    'one sync in twenty-five of every thread failing': {
      calls: 'fsync,fdatasync',
      error: 'error=EIO',
      when: '9+25',
      says: 'failed',
    },
    'a close in the spool that fails': { calls: 'close', file: 'spool', error: 'error=EIO', when: '1', says: 'failed' },
    'a close in the spool without a share left': {
      calls: 'close',
      file: 'spool',
      error: 'error=EDQUOT',
      when: '1',
      says: 'full',
    },
    'a sync of the spool directory that fails': {
      calls: 'fsync',
      file: 'spool',
      error: 'error=EIO',
      when: '1',
      says: 'failed',
    },
  }
  describe('for a moment', () => {
    for (const [what, fault] of Object.entries(passing))
      test(`${what}: is no 250, costs nothing that had one, and is over when the disk is well`, async () => {
        const result = await outcome(fault)
        expect(result).toMatchObject({ code: 0, closed: true, accepted: 30, findings: [] })
        expect(result[fault.says]).toBeGreaterThan(0)
      })
  })

  const lasting: Readonly<Record<string, Fault>> = {
    'no room for the log any more': { calls: 'pwrite64', file: log, error: 'error=ENOSPC', when: '100+' },
    'no write of the log any more': { calls: 'pwrite64', file: log, error: 'error=EIO', when: '100+' },
    'no sync of the log any more': { calls: 'fsync,fdatasync', file: log, error: 'error=EIO', when: '4+' },
    'a file system that has become read-only (row 48)': {
      calls: 'pwrite64,fsync,fdatasync,writev',
      file: log,
      error: 'error=EROFS',
      when: '100+',
    },
  }
  describe('for good', () => {
    for (const [what, fault] of Object.entries(lasting))
      test(`${what}: ends no process, and what had a 250 is there on a disk that is well`, async () => {
        const result = await outcome({ ...fault, tries: 3 })
        expect(result).toMatchObject({ code: 0, closed: true, findings: [] })
        expect(result.accepted).toBeGreaterThan(0)
        expect(result.accepted).toBeLessThan(30)
      })
  })

  test('a slow disk, a fifth of a second for each sync: everything is taken and kept', async () => {
    const result = await outcome({ calls: 'fsync,fdatasync', file: log, error: 'delay_enter=200000', when: '1+' })
    expect(result).toMatchObject({ code: 0, closed: true, accepted: 30, full: 0, failed: 0, findings: [] })
  })
})
