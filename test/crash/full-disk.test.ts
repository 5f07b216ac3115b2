import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, until } from '../peers/command.ts'
import { rootSuite } from '../peers/needs.ts'
import { stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

/** A file system of its own, small enough to fill. */
const mount = async (path: string, mib: number, option = 'mode=0700'): Promise<void> => {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700,${option}`, 'tmpfs', path])
  if (mounted.code !== 0) throw new Error(mounted.stderr)
}
const unmount = async (path: string): Promise<void> => {
  await run('umount', [path])
}
const filler = (path: string): string => join(path, 'filler')
/** Leave no room at all. */
const fill = (path: string): void => {
  for (const octets of [1 << 20, 1 << 16, 1 << 12])
    try {
      for (;;) writeFileSync(filler(path), new Uint8Array(octets), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
}
/** Says by which files. */
const useAllInodes = (path: string): readonly string[] => {
  const names: string[] = []
  try {
    for (;;) {
      const name = join(path, `inode-${names.length}`)
      writeFileSync(name, '')
      names.push(name)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
  return names
}
const free = (path: string): void => rmSync(filler(path))

/** A message that tells whether it is whole. */
const content = (marker: string, octets: number): string =>
  `Subject: ${marker}\r\n\r\n${`${marker}\r\n`.repeat(octets / (marker.length + 2))}end-of-${marker}`
const markersIn = (site: Site): readonly string[] =>
  site.messages('ann').map(m => {
    const marker = /^Subject: (\S+)/m.exec(m)?.[1] ?? 'none'
    expect(m.trimEnd().endsWith(`end-of-${marker}`), `${marker} is whole`).toBe(true)
    return marker
  })

interface Fates {
  readonly promised: string[]
  readonly refused: string[]
  readonly replies: string[]
}
/** Offer messages of many sizes, one connection each; a closed connection counts as refused. */
const offer = async (port: number, name: string, fates: Fates, hello = 'EHLO'): Promise<void> => {
  for (const [i, octets] of [500, 500, 5_000, 60_000, 200_000, 2_000_000, 500, 2_000_000, 500].entries()) {
    const marker = `${name}-${i}`
    const t = await talk(port)
    await t.say(`${hello} client.example`)
    const reply = await sendMail(t, { to: ['ann@example.org'], content: content(marker, octets) })
    fates.replies.push(reply)
    ;(reply.startsWith('250 ') ? fates.promised : fates.refused).push(marker)
    t.cut()
  }
}
const arrivesAgain = async (site: Site, port: number, fates: Fates): Promise<void> => {
  await until('mail to be taken again', async () => {
    const t = await talk(port)
    await t.say('EHLO client.example')
    const marker = `again-${fates.replies.length}`
    const reply = await sendMail(t, { to: ['ann@example.org'], content: content(marker, 100_000) })
    t.cut()
    fates.replies.push(reply)
    if (!reply.startsWith('250 ')) return undefined
    fates.promised.push(marker)
    return true
  })
  await until('all that was promised', () => {
    const arrived = new Set(markersIn(site))
    return fates.promised.every(marker => arrived.has(marker)) ? true : undefined
  })
}

const body = (freeSpace: string): string =>
  `mailboxes: ['ann'], retry: { first: '1s', most: '1s' }, limits: { freeSpace: '${freeSpace}' },`

rootSuite('row 47: a full disk', ['mount', 'umount'], () => {
  for (const [name, freeSpace] of [
    ['to the last octet', '0'],
    ['to the floor that is kept free', '8M'],
  ] as const) {
    let site: Site
    let running: Running
    beforeAll(async () => {
      site = await makeSite({ body: body(freeSpace) })
      await mount(site.state, 40)
    })
    afterAll(async () => {
      try {
        await stopCleanly(running)
      } finally {
        await unmount(site.state)
        site.remove()
      }
    })

    test(`under queue and Maildirs, ${name}: 4xx and never a 250 that is not kept, and all is well once there is room`, async () => {
      running = await site.start()
      const fates: Fates = { promised: [], refused: [], replies: [] }
      await offer(running.port('mx'), 'before', fates)
      expect(fates.refused).toEqual([])
      await site.drained()
      fill(site.state)
      await offer(running.port('mx'), 'full', fates)
      expect(fates.replies.filter(r => !r.startsWith('250 ')).every(r => /^45[12] 4\.3\.[01] /.test(r))).toBe(true)
      expect(fates.refused.length).toBeGreaterThan(5)
      free(site.state)
      await arrivesAgain(site, running.port('mx'), fates)
      await site.drained()
      expect(markersIn(site).filter(marker => fates.refused.includes(marker))).toEqual([])
      expect(readdirSync(join(site.maildir('ann'), 'tmp'))).toEqual([])
      expect(readdirSync(join(site.state, 'queue/spool'))).toEqual([])
    })

    test(`${name}, and killed and started while it is full: it runs, refuses what it can't keep, and loses nothing`, async () => {
      const fates: Fates = { promised: [], refused: [], replies: [] }
      fill(site.state)
      await offer(running.port('mx'), 'killed', fates)
      await running.kill()
      running = await site.start()
      await offer(running.port('mx'), 'restarted', fates)
      expect(fates.replies.filter(r => !r.startsWith('250 ')).every(r => /^45[12] 4\.3\.[01] /.test(r))).toBe(true)
      free(site.state)
      await arrivesAgain(site, running.port('mx'), fates)
      expect(markersIn(site).filter(marker => fates.refused.includes(marker))).toEqual([])
    })
  }

  test('row 48: few inodes: mail is refused with 452 while there are none, and taken again when there are', async () => {
    const site = await makeSite({ body: body('0') })
    await mount(site.state, 40, 'nr_inodes=3000')
    const running = await site.start()
    try {
      const fates: Fates = { promised: [], refused: [], replies: [] }
      await offer(running.port('mx'), 'before', fates)
      expect(fates.refused).toEqual([])
      await site.drained()
      const names = useAllInodes(site.state)
      await offer(running.port('mx'), 'none', fates)
      expect(fates.refused.length).toBeGreaterThan(2)
      expect(fates.replies.filter(r => !r.startsWith('250 ')).every(r => /^45[12] 4\.3\.[01] /.test(r))).toBe(true)
      for (const name of names) rmSync(name)
      await arrivesAgain(site, running.port('mx'), fates)
      expect(markersIn(site).filter(marker => fates.refused.includes(marker))).toEqual([])
    } finally {
      await running.stop()
      await unmount(site.state)
      site.remove()
    }
  })

  test('row 48: on a file system that was mounted read-only it says so and does not start; writable again, all is there', async () => {
    const site = await makeSite({
      body: `${body('0')} outbound: { smarthost: { host: '127.0.0.1', port: 1 } }, trusted: ['127.0.0.0/8'],`,
    })
    await mount(site.state, 40)
    try {
      const first = await site.start()
      const t = await talk(first.port('mx'))
      await t.say('EHLO client.example')
      const reply = await sendMail(t, { to: ['bob@elsewhere.example'], content: content('kept', 100_000) })
      expect(reply).toMatch(/^250 /)
      t.cut()
      await stopCleanly(first)
      expect((await run('mount', ['-o', 'remount,ro', site.state])).code).toBe(0)
      await expect(site.start()).rejects.toThrow(/read-only|readonly/)
      expect((await run('mount', ['-o', 'remount,rw', site.state])).code).toBe(0)
      const second = await site.start()
      const listed = await site.posthorn('queue', 'list', '--json')
      expect(listed.stdout).toContain('bob@elsewhere.example')
      await stopCleanly(second)
    } finally {
      await unmount(site.state)
      site.remove()
    }
  })

  test('under the Maildirs alone: mail waits in the queue, nothing is half-visible, and it arrives once there is room', async () => {
    const site = await makeSite({ body: body('0') })
    const mail = join(site.state, 'mail')
    // Room for one of the two messages of two megabytes beside all the small ones, in whichever order they come.
    await mount(mail, 3)
    const running = await site.start()
    try {
      const fates: Fates = { promised: [], refused: [], replies: [] }
      fill(mail)
      await offer(running.port('mx'), 'waiting', fates)
      expect(fates.refused).toEqual([])
      await until('nine deferred messages', async () => {
        const rows = (await site.posthorn('queue', 'list', 'attempts>0', '--json')).stdout.trim().split('\n')
        return rows.length === 9 ? true : undefined
      })
      expect(markersIn(site)).toEqual([])
      free(mail)
      // The second message of two megabytes never fits: the small ones must not wait for it.
      const small = fates.promised.filter(marker => !/-[57]$/.test(marker))
      await until('the small ones', () => {
        const arrived = new Set(markersIn(site))
        return small.every(marker => arrived.has(marker)) ? true : undefined
      })
      await until('no half of a message', () =>
        readdirSync(join(site.maildir('ann'), 'tmp')).length === 0 ? true : undefined,
      )
    } finally {
      await running.stop()
      await unmount(mail)
      site.remove()
    }
  })

  test('under the Maildirs, by LMTP: the client keeps it (452 or 451), and nothing is there until it was answered 250', async () => {
    const site = await makeSite({ body: body('0') })
    const mail = join(site.state, 'mail')
    await mount(mail, 16)
    const running = await site.start()
    try {
      const fates: Fates = { promised: [], refused: [], replies: [] }
      fill(mail)
      await offer(running.port('lmtp'), 'lmtp', fates, 'LHLO')
      expect(fates.promised).toEqual([])
      expect(fates.replies.every(r => /^45[12] 4\.[23]\.[0-9] /.test(r))).toBe(true)
      expect(markersIn(site)).toEqual([])
      free(mail)
      await offer(running.port('lmtp'), 'room', fates, 'LHLO')
      expect([...markersIn(site)].sort()).toEqual(fates.promised.toSorted())
      expect(fates.promised).toHaveLength(9)
    } finally {
      await running.stop()
      await unmount(mail)
      site.remove()
    }
  })
})
