import { mkdir, readdir, readFile, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '@posthorn/contracts'
import { bodyOf, utf8 } from '@posthorn/message'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { systemFiles, type Files } from 'maildir-parse'
import { box, delivered, jobFor, scratch, streamOf } from '../test/bench.ts'
import {
  createMaildirTransport,
  createTrapTransport,
  type MaildirTransport,
  type MaildirTransportOptions,
} from './maildir-transport.ts'

const never = new AbortController().signal
const clock = manualClock()
const basics = { clock, random: seededRandom(1), hostname: 'mx.example.org' }
const transport = async (
  o: Partial<MaildirTransportOptions> = {},
): Promise<{ readonly root: string; readonly transport: MaildirTransport }> => {
  const root = o.root ?? (await scratch())
  return { root, transport: createMaildirTransport({ ...basics, root, ...o }) }
}
const failing = (code: string, call: keyof Files, only = 1): Files => {
  let count = 0
  return {
    ...systemFiles,
    [call]: async () => {
      count += 1
      if (count >= only) throw Object.assign(new Error(code), { code })
      throw new Error('unexpected')
    },
  }
}
const statuses = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(o => `${o.fate} ${o.status ?? ''}`)

describe('delivering a job', () => {
  test('Return-Path and Delivered-To stand on top, the rest is as it came', async () => {
    const { root, transport: t } = await transport()
    const [outcome] = await t.deliver(jobFor('ann'), never)
    expect(outcome).toMatchObject({ fate: 'delivered', phase: 'local' })
    expect(await delivered(join(root, 'ann'))).toEqual([
      'Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\nSubject: hello\r\n\r\nHello.\r\n',
    ])
    expect((await stat(join(root, 'ann'))).mode & 0o777).toBe(0o700)
  })

  test('the null sender is an empty Return-Path', async () => {
    const { root, transport: t } = await transport()
    await t.deliver(jobFor('ann', { returnPath: null }), never)
    expect((await delivered(join(root, 'ann')))[0]).toMatch(/^Return-Path: <>\r\n/)
  })

  test.each([
    ['in memory', (text: string) => bodyOf(utf8(text))],
    ['as a stream', (text: string) => streamOf(text)],
  ])('an earlier Return-Path that stands first is replaced, folded or not, and no other (%s)', async (_how, body) => {
    const { root, transport: t } = await transport()
    const ours = 'Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\n'
    for (const [before, after] of [
      ['return-path: <x@y>\r\nA: b\r\n\r\nbody', 'A: b\r\n\r\nbody'],
      ['Return-Path:\r\n <x@y>\r\n\t(folded)\r\nA: b\r\n\r\nbody', 'A: b\r\n\r\nbody'],
      ['A: b\r\nReturn-Path: <x@y>\r\n\r\n', 'A: b\r\nReturn-Path: <x@y>\r\n\r\n'],
      ['Return-Pathology: x\r\n\r\n', 'Return-Pathology: x\r\n\r\n'],
      ['Return-Path: <no line end>', 'Return-Path: <no line end>'],
    ] as const) {
      const mailbox = `m${before.length}`
      await t.deliver(jobFor(mailbox, { body: body(before) }), never)
      expect(await delivered(join(root, mailbox))).toEqual([ours + after])
    }
  })

  test('each recipient has a copy with its own Delivered-To', async () => {
    const { root, transport: t } = await transport()
    const outcomes = await t.deliver(jobFor('ann', { to: ['ann@example.org', 'ann+x@example.org'] }), never)
    expect(outcomes.map(o => o.fate)).toEqual(['delivered', 'delivered'])
    const files = await delivered(join(root, 'ann'))
    expect(files.map(f => /Delivered-To: (.*)\r/.exec(f)?.[1])).toEqual(['ann+x@example.org', 'ann@example.org'])
  })

  test('a long stream is delivered whole', async () => {
    const { root, transport: t } = await transport()
    const text = `A: b\r\n\r\n${'x'.repeat(500_000)}`
    await t.deliver(jobFor('ann', { body: streamOf(text) }), never)
    expect((await delivered(join(root, 'ann')))[0]?.endsWith(text)).toBe(true)
  })

  test('Unix line endings are written when asked for', async () => {
    const { root, transport: t } = await transport({ lines: 'lf' })
    await t.deliver(jobFor('ann'), never)
    expect((await delivered(join(root, 'ann')))[0]).not.toContain('\r')
  })

  test('an address beyond ASCII stands in the trace as UTF-8', async () => {
    const { root, transport: t } = await transport()
    await t.deliver(jobFor('ann', { to: ['jürgen@example.org'] }), never)
    expect((await delivered(join(root, 'ann')))[0]).toContain('Delivered-To: jürgen@example.org\r\n')
  })
})

describe('loops', () => {
  test.each([
    ['Delivered-To: ann@example.org', 'failed 5.4.6'],
    ['delivered-to:ann@EXAMPLE.ORG', 'failed 5.4.6'],
    ['Delivered-To: ann+x@example.org', 'delivered 2.1.5'],
    ['Delivered-To: xann@example.org', 'delivered 2.1.5'],
    ['X-Delivered-To: ann@example.org', 'delivered 2.1.5'],
  ])('row 40: mail with %j is %s', async (line, expected) => {
    const { root, transport: t } = await transport()
    for (const body of [bodyOf(utf8(`A: b\r\n${line}\r\n\r\n`)), streamOf(`A: b\r\n${line}\r\n\r\n`)])
      expect(statuses(await t.deliver(jobFor('ann', { body }), never))).toEqual([expected])
    expect(await delivered(join(root, 'ann'))).toHaveLength(expected.startsWith('failed') ? 0 : 2)
  })

  test('row 40: the same line in the body is no loop', async () => {
    const { transport: t } = await transport()
    const outcomes = await t.deliver(jobFor('ann', { text: 'A: b\r\n\r\nDelivered-To: ann@example.org\r\n' }), never)
    expect(statuses(outcomes)).toEqual(['delivered 2.1.5'])
  })

  test('row 38: a header block of 100,000 lines costs a bounded look', async () => {
    const { transport: t } = await transport()
    const text = `${'X: y\r\n'.repeat(100_000)}Delivered-To: ann@example.org\r\n\r\n`
    expect(statuses(await t.deliver(jobFor('ann', { text }), never))).toEqual(['delivered 2.1.5'])
  })
})

describe('several jobs at once', () => {
  test('share one sync of the directory', async () => {
    let directories = 0
    const files: Files = { ...systemFiles, openDirectory: path => (directories++, systemFiles.openDirectory(path)) }
    const { root, transport: t } = await transport({ files })
    await t.deliver(jobFor('ann'), never)
    directories = 0
    const outcomes = await t.deliverAll(
      Array.from({ length: 20 }, () => jobFor('ann')),
      never,
    )
    expect(outcomes.flat().filter(o => o.fate === 'delivered')).toHaveLength(20)
    expect(directories).toBe(1)
    expect(await delivered(join(root, 'ann'))).toHaveLength(21)
  })

  test('may go to several mailboxes, with outcomes in their order', async () => {
    const { root, transport: t } = await transport()
    const outcomes = await t.deliverAll(
      [jobFor('ann'), jobFor('../x'), jobFor('bob', { to: ['b@x.org', 'c@x.org'] })],
      never,
    )
    expect(outcomes.map(statuses)).toEqual([
      ['delivered 2.1.5'],
      ['failed 5.1.1'],
      ['delivered 2.1.5', 'delivered 2.1.5'],
    ])
    expect(await readdir(root)).toEqual(['ann', 'bob'])
  })

  test('200 at once to one mailbox are 200 files', async () => {
    const { root, transport: t } = await transport({ fsync: false })
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => t.deliver(jobFor('ann', { text: `A: ${i}\r\n\r\n` }), never)),
    )
    expect(new Set(await delivered(join(root, 'ann'))).size).toBe(200)
  })
})

describe('what hinders', () => {
  test.each([
    ['ENOSPC', 'write', 'deferred 4.3.1'],
    ['EDQUOT', 'write', 'deferred 4.2.2'],
    ['EDQUOT', 'create', 'deferred 4.2.2'],
    ['EIO', 'sync', 'deferred 4.3.0'],
    ['EROFS', 'create', 'deferred 4.3.0'],
  ] as const)('row 47: %s at %s is %s', async (code, call, expected) => {
    const root = await scratch()
    await (await transport({ root })).transport.deliver(jobFor('ann'), never)
    const { transport: t } = await transport({ root, files: failing(code, call) })
    expect(statuses(await t.deliver(jobFor('ann'), never))).toEqual([expected])
    expect(await delivered(join(root, 'ann'))).toHaveLength(1)
    expect(await readdir(join(root, 'ann', 'tmp'))).toEqual([])
  })

  test.each(['../../etc', '', '.', '|prog', '$(id)', 'a/b', '%00', ':include:/x', '-oQ', '`id`', 'x\0y'])(
    'row 35: the mailbox %j fails, and nothing is written',
    async mailbox => {
      const { root, transport: t } = await transport()
      expect(statuses(await t.deliver(jobFor(mailbox), never))).toEqual(['failed 5.1.1'])
      expect(await readdir(root)).toEqual([])
    },
  )

  test('row 34: an address with a line break never reaches a header', async () => {
    const { transport: t } = await transport()
    const to = { ...box('ann@example.org'), wire: '"a\r\nX: y"@example.org' }
    const job = jobFor('ann')
    expect(statuses(await t.deliver({ ...job, recipients: [{ to, site: job.site }] }, never))).toEqual(['failed 5.1.1'])
    expect(statuses(await t.deliver({ ...job, returnPath: to }, never))).toEqual(['failed 5.1.1'])
  })

  test('row 49: a mailbox that is a link to elsewhere is deferred, not followed', async () => {
    const { root, transport: t } = await transport()
    await mkdir(join(root, '..', 'elsewhere')).catch(() => {})
    await symlink(join(root, '..'), join(root, 'ann'))
    expect(statuses(await t.deliver(jobFor('ann'), never))).toEqual(['deferred 4.3.5'])
  })

  test('a spool file that is shorter than promised is deferred, not delivered in part', async () => {
    const { root, transport: t } = await transport()
    const text = 'A: b\r\n\r\ncut'
    const outcomes = await t.deliver(jobFor('ann', { body: streamOf(text, text.length + 1) }), never)
    expect(statuses(outcomes)).toEqual(['deferred 4.3.0'])
    expect(await delivered(join(root, 'ann'))).toEqual([])
  })

  test('a spool file that is gone is deferred, and nothing empty is delivered in its place', async () => {
    const { root, transport: t } = await transport()
    let opened = 0
    const body = {
      size: 100,
      // oxlint-disable-next-line require-yield -- the second reading fails at once
      async *open() {
        if (++opened === 1) yield utf8('A: b\r\n\r\n')
        throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      },
    }
    expect(statuses(await t.deliver(jobFor('ann', { body }), never))).toEqual(['deferred 4.3.0'])
    expect(await delivered(join(root, 'ann'))).toEqual([])
  })

  test('a Maildir that was moved away is made anew, for the same message', async () => {
    const { root, transport: t } = await transport()
    await t.deliver(jobFor('ann'), never)
    await rename(join(root, 'ann'), join(root, 'ann.old'))
    const job = jobFor('ann', { body: streamOf('A: b\r\n\r\nbody') })
    expect(statuses(await t.deliver(job, never))).toEqual(['delivered 2.1.5'])
    expect((await delivered(join(root, 'ann')))[0]).toContain('A: b\r\n\r\nbody')
  })

  test('a lease that has ended, or a stop, counts as no try', async () => {
    const { root, transport: t } = await transport()
    expect(await t.deliver(jobFor('ann', { stillOurs: () => false }), never)).toMatchObject([
      { fate: 'deferred', notTried: true },
    ])
    expect(await t.deliver(jobFor('ann'), AbortSignal.abort())).toMatchObject([{ fate: 'deferred', notTried: true }])
    expect(await readdir(root)).toEqual([])
  })
})

describe('quota', () => {
  test('a mailbox over its quota is full for now, and takes mail again when there is room', async () => {
    const { root, transport: t } = await transport({ quota: m => (m === 'ann' ? { messages: 2 } : undefined) })
    const first = await t.deliverAll([jobFor('ann'), jobFor('ann'), jobFor('ann'), jobFor('bob')], never)
    expect(first.flatMap(statuses)).toEqual(['delivered 2.1.5', 'delivered 2.1.5', 'deferred 4.2.2', 'delivered 2.1.5'])
    expect(await readFile(join(root, 'ann', 'maildirsize'), 'utf8')).toMatch(/^2C\n0 0\n\d+ 1\n\d+ 1\n$/)
    const [file] = await readdir(join(root, 'ann', 'new'))
    await rename(join(root, 'ann', 'new', file ?? ''), join(root, 'gone'))
    expect(statuses(await t.deliver(jobFor('ann'), never))).toEqual(['deferred 4.2.2'])
    await clock.advance(15 * 60_000)
    expect(statuses(await t.deliver(jobFor('ann'), never))).toEqual(['delivered 2.1.5'])
  })

  test('deliveries at the same time do not each take the last room', async () => {
    const { root, transport: t } = await transport({ quota: () => ({ messages: 3 }) })
    await t.deliver(jobFor('ann'), never)
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => t.deliver(jobFor('ann'), never)))
    expect(outcomes.flat().filter(o => o.fate === 'delivered')).toHaveLength(2)
    expect(await delivered(join(root, 'ann'))).toHaveLength(3)
  })

  test('a failed delivery gives its room back', async () => {
    const root = await scratch()
    let broken = true
    const files: Files = {
      ...systemFiles,
      sync: fd => (broken ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : systemFiles.sync(fd)),
    }
    await (await transport({ root })).transport.deliver(jobFor('other'), never)
    await mkdir(join(root, 'ann'))
    for (const part of ['tmp', 'cur', 'new']) await mkdir(join(root, 'ann', part))
    const { transport: t } = await transport({ root, files, quota: () => ({ messages: 1 }) })
    expect(statuses(await t.deliver(jobFor('ann'), never))).toEqual(['deferred 4.3.0'])
    broken = false
    expect(statuses(await t.deliver(jobFor('ann'), never))).toEqual(['delivered 2.1.5'])
  })
})

describe('the trap', () => {
  test('takes mail for anybody into one Maildir, and says whom it was for', async () => {
    const root = await scratch()
    const t = createTrapTransport({ ...basics, path: join(root, 'trap') })
    const job = { ...jobFor('x', { to: ['a@far.example', 'b@far.example'] }), site: 'trap:' as never }
    expect((await t.deliver(job, never)).map(o => o.fate)).toEqual(['delivered', 'delivered'])
    const [a] = await delivered(join(root, 'trap'))
    expect(a).toMatch(
      /^Return-Path: <bob@example.net>\r\nDelivered-To: a@far.example\r\nX-Posthorn-Trap: trap:\r\nSubject/,
    )
  })

  test('has no loops: mail that comes again is kept again', async () => {
    const root = await scratch()
    const t = createTrapTransport({ ...basics, path: join(root, 'trap') })
    const job = jobFor('x', { to: ['a@far.example'], text: 'Delivered-To: a@far.example\r\n\r\n' })
    expect((await t.deliver(job, never)).map(o => o.fate)).toEqual(['delivered'])
  })
})

describe('cleaning', () => {
  test('finds nothing to clean before the first message', async () => {
    const { transport: t } = await transport({ root: join(await scratch(), 'not-yet') })
    expect(await t.clean()).toBe(0)
  })

  test('removes what dead deliveries left in the tmp of every mailbox, and nothing else', async () => {
    const { root, transport: t } = await transport()
    await t.deliver(jobFor('ann'), never)
    await t.deliver(jobFor('bob'), never)
    await mkdir(join(root, 'no-maildir'))
    for (const [mailbox, hours] of [
      ['ann', 40],
      ['bob', 1],
    ] as const) {
      const path = join(root, mailbox, 'tmp', 'left')
      await writeFile(path, 'half a message')
      const at = new Date(clock.wall() - hours * 3_600_000)
      await utimes(path, at, at)
    }
    expect(await t.clean()).toBe(1)
    expect(await readdir(join(root, 'bob', 'tmp'))).toEqual(['left'])
  })
})
