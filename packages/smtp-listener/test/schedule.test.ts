import { expect, test } from 'vitest'
import { world, type Client, type World } from './world.ts'

const submission = async (): Promise<{ all: World; client: Client; ehlo: string }> => {
  const all = await world({
    service: 'submission',
    limits: { futureReleaseMs: 86_400_000 },
    overrides: { priorities: true, deliverBy: { minimumMs: 0 }, authRequiresTls: false },
  })
  const client = all.dial()
  await client.reply()
  const [ehlo] = await client.ask('EHLO client.test')
  return { all, client, ehlo: ehlo ?? '' }
}
const send = async (client: Client, parameters: string): Promise<void> => {
  await client.ask(`MAIL FROM:<ann@example.org>${parameters}`, 'RCPT TO:<bob@example.org>')
  await client.ask('DATA')
  await client.send('a: b\r\n\r\n.\r\n')
  expect(await client.reply()).toMatch(/^250 /)
}
const login = (client: Client): Promise<unknown> => client.ask('AUTH PLAIN AGFubgBzZWNyZXQ=')

test('what MAIL says of time and haste reaches the intake as times of the wall', async () => {
  const { all, client } = await submission()
  await login(client)
  const now = all.clock.wall()
  await send(client, ' HOLDFOR=60 MT-PRIORITY=3 BY=3600;R')
  await send(client, ` HOLDUNTIL=${new Date(now + 5000).toISOString()} BY=-5;NT`)
  await send(client, '')
  expect(all.intake.taken.map(taken => taken.transaction.schedule)).toEqual([
    {
      notBefore: now + 60_000,
      deliverBy: { at: now + 3_600_000, mode: 'return', trace: false },
      priority: -3,
    },
    { notBefore: now + 5000, deliverBy: { at: now - 5000, mode: 'notify', trace: true } },
    undefined,
  ])
})

test('the time to deliver by runs from MAIL, whenever the content comes', async () => {
  const { all, client } = await submission()
  await login(client)
  const at = all.clock.wall() + 600_000
  await client.ask('MAIL FROM:<ann@example.org> BY=600;R')
  await all.clock.advance(60_000)
  await client.ask('RCPT TO:<bob@example.org>')
  await client.ask('DATA')
  await client.send('a: b\r\n\r\n.\r\n')
  expect(await client.reply()).toMatch(/^250 /)
  expect(all.intake.taken[0]?.transaction.schedule).toEqual({ deliverBy: { at, mode: 'return', trace: false } })
})

test('a stranger may step back, and not forward', async () => {
  const { all, client } = await submission()
  await send(client, ' MT-PRIORITY=9')
  await send(client, ' MT-PRIORITY=-4')
  expect(all.intake.taken.map(taken => taken.transaction.schedule)).toEqual([undefined, { priority: 4 }])
})

test('the last date of a release grows with the clock', async () => {
  const { all, client, ehlo } = await submission()
  const last = (text: string | undefined): number =>
    Date.parse(/FUTURERELEASE 86400 (\S+Z)/.exec(text?.replaceAll('|', ' ') ?? '')?.[1] ?? '')
  const before = last(ehlo)
  expect(before).toBeLessThanOrEqual(all.clock.wall() + 86_400_000)
  await all.clock.advance(60_000)
  const other = all.dial()
  await other.reply()
  await all.clock.advance(3_600_000)
  const third = all.dial()
  await third.reply()
  expect(last((await third.ask('EHLO client.test'))[0])).toBeGreaterThanOrEqual(before + 3_600_000)
  expect(client.isClosed).toBe(true)
})
