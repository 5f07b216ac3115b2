import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../peers/command.ts'
import { postgresSuite } from '../peers/needs.ts'
import { startPostgres } from '../peers/postgres.ts'
import type { Postgres } from '../peers/postgres.ts'
import { stopCleanly } from '../peers/posthorn.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite } from '../peers/site.ts'
import type { Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'
import { teardown } from '../peers/teardown.ts'

const user = 'ann@example.org'

postgresSuite('three nodes over one queue', () => {
  const undo = teardown()
  let server: Postgres
  let url = ''
  const sites: Site[] = []
  beforeAll(async () => {
    server = await startPostgres()
    undo(() => server.stop())
    url = await server.database()
    for (let i = 0; i < 3; i++) {
      const site = await makeSite({
        users: [user],
        body: `queue: { postgres: { url: '${url}', takeover: '5s' } }, limits: { connectionsPerAddress: 100 },`,
      })
      undo(() => site.remove())
      sites.push(site)
    }
  })

  const contentOf = (marker: string, size: number): string =>
    `Subject: ${marker}\r\n\r\n${`${marker}\r\n`.repeat(Math.ceil(size / (marker.length + 2)))}end-of-${marker}`

  /** Send one message after another until told to stop or the node is gone; notes those that were answered 250. */
  const load = async (node: Running, name: string, o: { readonly kept: string[]; going: boolean }): Promise<void> => {
    try {
      const t = await talk(node.port('mx'))
      await t.say('EHLO client.example')
      for (let i = 0; o.going; i++) {
        const marker = `${name}-${i}`
        const reply = await sendMail(t, { to: [user], content: contentOf(marker, i % 5 === 4 ? 300_000 : 800) })
        if (reply.startsWith('250 ')) o.kept.push(marker)
      }
    } catch {
      // Killed.
    }
  }
  const subjects = (): string[] =>
    sites.flatMap(site => site.messages(user).map(m => /^Subject: (\S+)/m.exec(m)?.[1] ?? 'torn'))

  test('one of them is killed under load, the others deliver its mail when its leases end, and nothing is lost', async () => {
    const nodes: Running[] = []
    for (const site of sites) {
      const node = await site.start()
      undo(() => node.kill().catch(() => undefined))
      nodes.push(node)
    }
    const [victim, ...others] = nodes
    if (victim === undefined) throw new Error('no node')
    const round = { kept: [] as string[], going: true }
    const clients = nodes.flatMap((node, n) => [0, 1, 2, 3].map(c => load(node, `n${n}c${c}`, round)))
    await until('load', () => round.kept.length > 300 || undefined)
    const name = readFileSync(join(sites[0]?.state ?? '', 'node'), 'utf8').trim()
    // It is stopped to be looked at, and goes on when there is nothing in its hand at that moment.
    const left = await until('something in the hand of the node', async () => {
      process.kill(victim.pid, 'SIGSTOP')
      const [held] = await server.sql(
        url,
        `select count(*)::integer as n from posthorn.delivery d join posthorn.owner o on o.name = d.owner
         where d.state = 1 and o.node = '${name}'`,
      )
      if (Number(held?.['n']) > 0) return held
      process.kill(victim.pid, 'SIGCONT')
      return undefined
    })
    await victim.kill()
    await until('load on the others', () => round.kept.length > 600 || undefined)
    round.going = false
    await Promise.all(clients)
    const arrived = await until(
      'every message that was answered 250',
      () => {
        const all = new Set(subjects())
        return round.kept.every(marker => all.has(marker)) ? all : undefined
      },
      60_000,
    )
    expect(arrived).not.toContain('torn')
    for (const site of sites) for (const m of site.messages(user)) expect(m.trimEnd()).toMatch(/end-of-n\dc\d-\d+$/)

    // The command asks through a running node, or the database itself where none runs.
    for (const site of sites) {
      await until('an empty queue', async () => {
        const counted = await site.posthorn('queue', 'count', '--json')
        if (counted.code !== 0) throw new Error(counted.stderr)
        return Object.values(JSON.parse(counted.stdout) as object).every(n => n === 0) || undefined
      })
    }
    for (const node of others) await stopCleanly(node)

    // Only what the killed node had in hand may be there twice: delivered, and not yet noted.
    const copies = subjects()
    const twice = copies.length - new Set(copies).size
    expect(twice).toBeLessThanOrEqual(Number(left['n']))
    expect(copies.length - twice).toBeGreaterThanOrEqual(round.kept.length)
    console.info(
      `${round.kept.length} answered 250, ${String(left['n'])} in the killed node's hand, ${twice} delivered twice`,
    )
  }, 180_000)
})
