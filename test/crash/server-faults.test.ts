import { spawn } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../peers/command.ts'
import { rootSuite } from '../peers/needs.ts'
import { stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'
import { teardown } from '../peers/teardown.ts'

const tracer = 'strace'

/** Let these calls of a running process fail, in all of its threads, until the result is called. */
const spoil = async (pid: number, calls: string, error: string): Promise<() => Promise<void>> => {
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:${error}`, '-e', 'signal=none']
  const child = spawn(tracer, ['-f', '-p', String(pid), '-o', '/dev/null', ...inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', chunk => (said += String(chunk)))
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  await until('the tracer', () => said.includes('attached') || undefined)
  return async () => {
    child.kill('SIGINT')
    await ended
  }
}

rootSuite('row 47: a server whose disk fails under it', [tracer], () => {
  const undo = teardown()
  let site: Site
  let running: Running
  beforeAll(async () => {
    site = await makeSite({ body: `mailboxes: ['ann'], retry: { first: '1s', most: '2s' },` })
    undo(() => site.remove())
    running = await site.start()
    undo(() => stopCleanly(running))
  })
  const offer = async (marker: string, octets: number): Promise<string> => {
    const t = await talk(running.port('mx'))
    await t.say('EHLO client.example')
    const content = `Subject: ${marker}\r\n\r\n${`${marker}\r\n`.repeat(octets / (marker.length + 2))}end-of-${marker}`
    const reply = await sendMail(t, { to: ['ann@example.org'], content })
    t.cut()
    return reply
  }

  const faults = [
    ['every sync fails', 'fsync,fdatasync', 'error=EIO', /^451 4\.3\.0 /],
    ['the log has no room', 'pwrite64', 'error=ENOSPC', /^452 4\.3\.1 /],
    ['the file system has become read-only (row 48)', 'pwrite64,fsync,fdatasync', 'error=EROFS', /^451 4\.3\.0 /],
  ] as const
  for (const [what, calls, error, refusal] of faults)
    test(`${what}: mail is refused for now, and is taken and delivered again when the disk is well`, async () => {
      const mend = await spoil(running.pid, calls, error)
      const replies: string[] = []
      try {
        for (const octets of [500, 200_000, 500]) replies.push(await offer(`refused-${octets}-${error}`, octets))
      } finally {
        await mend()
      }
      for (const reply of replies) expect(reply).toMatch(/^45[12] 4\.3\.[01] /)
      expect(replies[0]).toMatch(refusal)
      const taken = `taken-${calls}-${error}`
      await until('mail to be taken', async () => (await offer(taken, 300)).startsWith('250 ') || undefined)
      await site.arrived('ann', `end-of-${taken}`)
    })

  test('a mailbox whose owner has used up the share: the mail waits in the queue, and arrives once when there is room', async () => {
    // The mailbox must be there; what is written with writev is mail, and not the log.
    expect(await offer('before', 300)).toMatch(/^250 /)
    await site.arrived('ann', 'end-of-before')
    const mend = await spoil(running.pid, 'writev', 'error=EDQUOT')
    try {
      expect(await offer('later', 300)).toMatch(/^250 /)
      await until('a deferral', () => running.output().includes('EDQUOT') || undefined)
    } finally {
      await mend()
    }
    await site.arrived('ann', 'end-of-later')
    expect(site.messages('ann').filter(m => m.includes('end-of-later'))).toHaveLength(1)
  })
})
