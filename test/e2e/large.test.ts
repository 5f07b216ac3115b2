import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { until } from '../peers/command.ts'
import { startPosthorn, stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const MiB = 1024 * 1024
const user = 'ann@example.org'
const line = Buffer.from(`${'.'.repeat(3)}${'0123456789abcdef'.repeat(4)}\r\n`)
const chunk = Buffer.concat(Array.from({ length: 1000 }, () => line))
// The server takes the first dot off each line.
const chunks = Math.ceil((100 * MiB) / (chunk.byteLength - 1000))

const start = (site: Site): Promise<Running> =>
  startPosthorn(['start', '--json', '--config', site.config, '--state', site.state])

let here: Site
let there: Site
let near: Running
let far: Running
beforeAll(async () => {
  const body = `limits: { messageSize: '110M' }, mailboxes: ['ann'],`
  there = await makeSite({ body: `hostname: 'mx.example.net', domains: ['example.net'], ${body}` })
  far = await start(there)
  here = await makeSite({
    body: `${body} trusted: ['127.0.0.0/8'], outbound: { smarthost: { host: '127.0.0.1', port: ${far.port('mx')} } },`,
  })
  near = await start(here)
})
afterAll(async () => {
  await stopCleanly(near)
  await stopCleanly(far)
  here.remove()
  there.remove()
})

const kilobytes = (pid: number, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

/** How far the process's resident memory grew at its peak while something happened, in MiB. */
const growth = async (pid: number, during: () => Promise<void>): Promise<number> => {
  // Begins a new peak (proc_pid_clear_refs(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  const before = kilobytes(pid, 'VmRSS')
  await during()
  return (kilobytes(pid, 'VmHWM') - before) / 1024
}

/** Write the header and so many chunks behind it, as fast as the server takes them. */
const sendLarge = async (port: number, to: string, subject: string, count = chunks): Promise<void> => {
  const t = await talk(port)
  expect(await t.say('EHLO client.example')).toContain('SIZE 115343360')
  expect(await t.say(`MAIL FROM:<sender@elsewhere.example> SIZE=${104 * MiB}`)).toMatch(/^250/)
  expect(await t.say(`RCPT TO:<${to}>`)).toMatch(/^250/)
  expect(await t.say('DATA')).toMatch(/^354/)
  await t.write(`Subject: ${subject}\r\n\r\n`)
  for (let i = 0; i < count; i++) await t.write(chunk)
  await t.write('.\r\n')
  expect(await t.reply()).toMatch(/^250/)
  t.cut()
}

/** The file of the one large message of a mailbox, once it is there. */
const arrived = (site: Site, subject: string): Promise<string> =>
  until(
    `the large message ${subject}`,
    () => {
      const dir = join(site.maildir('ann'), 'new')
      try {
        return readdirSync(dir)
          .map(name => join(dir, name))
          .find(path => statSync(path).size > 100 * MiB && head(path).includes(`Subject: ${subject}\r\n`))
      } catch {
        return undefined
      }
    },
    30_000,
  )
const head = (path: string): string => {
  const fd = openSync(path, 'r')
  try {
    const start = Buffer.alloc(4096)
    return start.toString('latin1', 0, readSync(fd, start))
  } finally {
    closeSync(fd)
  }
}

const bodyHash = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  let behindHeader: number | undefined
  for await (const piece of createReadStream(path, { highWaterMark: MiB })) {
    const bytes = piece as Buffer
    behindHeader ??= bytes.indexOf('\r\n\r\n') + 4
    hash.update(bytes.subarray(behindHeader))
    behindHeader = 0
  }
  return hash.digest('hex')
}

test('100 MiB pass into a Maildir and through a relay, byte for byte, with less than 32 MiB of memory', async () => {
  const meant = createHash('sha256')
  for (let i = 0; i < chunks; i++) for (let n = 0; n < 1000; n++) meant.update(line.subarray(1))
  const wanted = meant.digest('hex')
  // What the process needs to run hot, whatever the size of a message: code, and room for garbage.
  for (const to of [user, 'ann@example.net']) await sendLarge(near.port('mx'), to, 'warm up', chunks / 4)
  await here.drained()
  await there.drained()

  const local = await growth(near.pid, async () => {
    await sendLarge(near.port('mx'), user, 'into a Maildir')
    await arrived(here, 'into a Maildir')
    await here.drained()
  })
  expect(await bodyHash(await arrived(here, 'into a Maildir'))).toBe(wanted)

  let receiving = 0
  const relaying = await growth(near.pid, async () => {
    receiving = await growth(far.pid, async () => {
      await sendLarge(near.port('mx'), 'ann@example.net', 'through a relay')
      await arrived(there, 'through a relay')
      await there.drained()
    })
  })
  expect(await bodyHash(await arrived(there, 'through a relay'))).toBe(wanted)
  expect({ local, relaying, receiving }).toSatisfy((grown: object) => Object.values(grown).every(mib => mib < 32))
})
