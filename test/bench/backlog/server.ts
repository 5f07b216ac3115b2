import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { makeSite, type Site } from '../../peers/site.ts'
import { sendMail, talk } from '../../peers/talk.ts'
import { body } from './build.ts'
import { lists } from './questions.ts'
import { compared, ms, say, timed } from './report.ts'

const sessions = 20
const content = `Subject: fresh\r\n\r\n${Buffer.from(body).toString()}`

/** MiB, now and at most, of all that the process has in memory. */
const residentOf = (pid: number): { readonly now: number; readonly most: number } => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const of = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { now: of('VmRSS'), most: of('VmHWM') }
}

/** Messages a second that come in over SMTP and go into a Maildir. */
const smtpRate = async (port: number, seconds: number): Promise<number> => {
  const end = performance.now() + seconds * 1000
  let done = 0
  const session = async (): Promise<void> => {
    const t = await talk(port)
    await t.say('EHLO load.test')
    while (performance.now() < end) {
      const reply = await sendMail(t, { to: ['ann@example.org'], content })
      if (!reply.startsWith('250')) throw new Error(reply)
      done++
    }
    t.cut()
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: sessions }, session))
  return done / ((performance.now() - began) / 1000)
}

const site = (): Promise<Site> => makeSite({ body: `mailboxes: ['ann'], limits: { connectionsPerAddress: 500 },` })

/** The command again and again, as an operator would have it who is in a hurry: one at a time, a second apart. */
const keepAsking = async (at: Site, asking: { readonly on: boolean }): Promise<void> => {
  const commands = [
    ...lists.map(text => ['list', '--limit', '50', ...(text === '' ? [] : [text])]),
    ['count', '--by', 'site'],
    ['count', '--by', 'sender'],
  ]
  for (let i = 0; asking.on; i++) {
    const ran = await at.posthorn('queue', ...(commands[i % commands.length] ?? []), '--json')
    if (ran.code !== 0) throw new Error(ran.stderr)
    await new Promise(resolve => setTimeout(resolve, 1000))
  }
}

/** A whole server as people run it, on a queue that was built, and one on an empty queue to compare it with. */
export const measureServer = async (directory: string): Promise<void> => {
  const [empty, full] = [await site(), await site()]
  renameSync(directory, join(full.state, 'queue'))
  try {
    const alone = await empty.start()
    say('the server with an empty queue: resident at the start', `${residentOf(alone.pid).now.toFixed(0)} MiB`)
    await smtpRate(alone.port('mx'), 2)
    const rate = await smtpRate(alone.port('mx'), 8)
    say('  fresh mail, over SMTP into a Maildir', `${rate.toFixed(0)} /s`)
    say(
      '  resident',
      `${residentOf(alone.pid).now.toFixed(0)} MiB, at most ${residentOf(alone.pid).most.toFixed(0)} MiB`,
    )
    await alone.stop()
    const began = performance.now()
    const running = await full.start()
    say('the server with the backlog: start', ms(performance.now() - began), '(< 3000 ms)')
    say('  resident at the start', `${residentOf(running.pid).now.toFixed(0)} MiB`, '(< 300 MiB)')
    await smtpRate(running.port('mx'), 2)
    say('  fresh mail', ...compared(await smtpRate(running.port('mx'), 8), rate))
    const asking = { on: true }
    const asked = keepAsking(full, asking)
    say('  fresh mail while the command lists and counts', ...compared(await smtpRate(running.port('mx'), 20), rate))
    asking.on = false
    await asked
    for (const text of lists) {
      const took = await timed(async () => full.posthorn('queue', 'list', '--limit', '50', text, '--json'))
      say(`  posthorn queue list ${text}, to its end`, ms(took))
    }
    const resident = residentOf(running.pid)
    say('  resident', `${resident.now.toFixed(0)} MiB, at most ${resident.most.toFixed(0)} MiB`, '(< 300 MiB)')
    await running.stop()
  } finally {
    empty.remove()
    full.remove()
  }
}
