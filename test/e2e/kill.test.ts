import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { until } from '../peers/command.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const user = 'ann@example.org'
let site: Site
beforeAll(async () => {
  site = await makeSite({ users: [user] })
})
afterAll(() => site.remove())

/** Text of a size that does not fit one packet or one page, different for each message, with an end that tells a torn file. */
const contentOf = (marker: string, size: number): string =>
  `Subject: ${marker}\r\n\r\n${`${marker} `.repeat(Math.ceil(size / (marker.length + 1))).replaceAll(/(.{1,900}) /g, '$1\r\n')}end-of-${marker}`

test('a message that was answered 250 an instant before SIGKILL is delivered within five seconds of the next start', async () => {
  const running = await site.start()
  const t = await talk(running.ports['mx'] ?? 0)
  await t.say('EHLO client.example')
  expect(await sendMail(t, { to: [user], content: contentOf('instant', 500) })).toMatch(/^250 /)
  await running.kill()
  const next = await site.start()
  await site.arrived(user, 'end-of-instant', 5_000)
  await next.kill()
})

/** Send one message after another until the server is gone; notes those that were answered 250. */
const sendUntilDead = async (
  port: number,
  round: { readonly name: string; readonly promised: string[]; readonly sent: string[] },
): Promise<void> => {
  try {
    const t = await talk(port)
    await t.say('EHLO client.example')
    for (let i = 0; ; i++) {
      const marker = `${round.name}-${i}`
      round.sent.push(marker)
      // Small ones live in the database, large ones in the spool.
      const reply = await sendMail(t, { to: [user], content: contentOf(marker, i % 5 === 4 ? 100_000 : 800) })
      if (reply.startsWith('250 ')) round.promised.push(marker)
    }
  } catch {
    // Killed.
  }
}

test('ten times killed in bursts of mail at instants of chance: every message answered 250 arrives, and none is torn', async () => {
  const promised: string[] = []
  const sent: string[] = []
  for (let round = 0; round < 10; round++) {
    const running = await site.start()
    const clients = [0, 1, 2, 3].map(c =>
      sendUntilDead(running.ports['mx'] ?? 0, { name: `m${round}x${c}`, promised, sent }),
    )
    await new Promise(resolve => setTimeout(resolve, 20 + Math.random() * 280))
    await running.kill()
    await Promise.all(clients)
  }
  expect(promised.length).toBeGreaterThan(50)

  const last = await site.start()
  const subjects = (): ReadonlyMap<string, string> =>
    new Map(site.messages(user).map(m => [/^Subject: (\S+)/m.exec(m)?.[1] ?? `torn: ${m.slice(0, 80)}`, m]))
  const arrived = await until(
    'every promised message',
    () => {
      const now = subjects()
      return promised.every(marker => now.has(marker)) ? now : undefined
    },
    20_000,
  )
  const known = new Set([...sent, 'instant'])
  for (const [marker, text] of arrived) {
    expect(known).toContain(marker)
    expect(text.trimEnd().endsWith(`end-of-${marker}`), `${marker} is whole`).toBe(true)
  }
  expect(await last.stop()).toBe(0)
})
