import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk, type Talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const user = 'ann@example.org'
let site: Site
let running: Running
beforeAll(async () => {
  site = await makeSite({ users: [user] })
  running = await site.start()
})
afterAll(async () => {
  await stopCleanly(running)
  site.remove()
})

/** The ways in: what takes their mail, and whether TLS records lie between, is not the same. */
const ways = {
  mx: async (): Promise<Talk> => {
    const t = await talk(running.port('mx'))
    await t.say('EHLO client.example')
    return t
  },
  'mx over TLS': async (): Promise<Talk> => {
    const t = await ways.mx()
    await t.secure()
    await t.say('EHLO client.example')
    return t
  },
  lmtp: async (): Promise<Talk> => {
    const t = await talk(running.port('lmtp'))
    await t.say('LHLO client.example')
    return t
  },
}

const open = async (t: Talk): Promise<void> => {
  expect(await t.say('MAIL FROM:<sender@elsewhere.example>')).toMatch(/^250/)
  expect(await t.say(`RCPT TO:<${user}>`)).toMatch(/^250/)
  expect(await t.say('DATA')).toMatch(/^354/)
}

/** The reply to all that was written; throws unless it is the only one, and no transaction is open behind it. */
const onlyReply = async (t: Talk): Promise<string> => {
  const reply = await t.reply()
  const after = [await t.say('NOOP one'), await t.say('RCPT TO:<ann@example.org>')]
  if (!/^250 2\.0\.0 .*\|503 /.test(after.join('|'))) throw new Error(`${reply}, and then ${after.join(', ')}`)
  t.cut()
  return reply
}
const oneOrNone = /^(?:250|5\d\d) /

/** All that has come in is delivered. Messages are told apart by the subjects that the server saw. */
const subjects = async (): Promise<readonly string[]> => {
  const t = await ways.mx()
  const last = `last-${Math.random()}`
  expect(await sendMail(t, { to: [user], content: `Subject: ${last}\r\n\r\n` })).toMatch(/^250/)
  t.cut()
  await site.arrived(user, last)
  await site.drained()
  return site.messages(user).map(m => /^Subject: ([^\r\n]*)/m.exec(m)?.[1] ?? '')
}

const terminators: readonly (readonly [row: number, bytes: string])[] = [
  [1, '\n.\n'],
  [2, '\n.\r\n'],
  [3, '\r\n.\n'],
  [4, '\r.\r'],
  [5, '\r.\n'],
  [6, '\n.\r'],
  [7, '\r.\r\n'],
  [8, '\r\n.\r'],
  [9, '\r\n\0.\r\n'],
  [10, '\r\n.\0\r\n'],
  [11, '\r\n.\r\r\n'],
  [11, '\r\r\n.\r\r\n'],
  [12, 'bare \r in the body'],
  [12, 'bare \n in the body'],
  [12, 'NUL \0 in the body'],
]
const smuggled = `MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<${user}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n`

for (const [name, connect] of Object.entries(ways))
  describe(`by ${name},`, () => {
    const expected: string[] = []

    for (const [row, bytes] of terminators) {
      const shown = JSON.stringify(bytes)
      test(`row ${row}: ${shown} in mid-mail, a whole second transaction behind it, is one message or none`, async () => {
        const t = await connect()
        await open(t)
        const subject = `mid ${name} ${row} ${shown}`
        await t.write(`Subject: ${subject}\r\n\r\nbody${bytes}${smuggled}`)
        const reply = await onlyReply(t)
        expect(reply).toMatch(oneOrNone)
        if (reply.startsWith('250')) expected.push(subject)
      })
      test(`row ${row}: ${shown} at the end of a mail does not end it`, async () => {
        const t = await connect()
        await open(t)
        const subject = `end ${name} ${row} ${shown}`
        await t.write(`Subject: ${subject}\r\n\r\nbody${bytes}`)
        await t.write('\r\n.\r\n')
        const reply = await onlyReply(t)
        expect(reply).toMatch(oneOrNone)
        if (reply.startsWith('250')) expected.push(subject)
      })
    }

    for (const [what, bytes] of [
      ['CR', '\r'],
      ['LF', '\n'],
      ['NUL', '\0'],
    ] as const) {
      test(`row 12: a bare ${what} in the header is one message or none`, async () => {
        const t = await connect()
        await open(t)
        const subject = `header ${name} ${what}`
        await t.write(`Subject: ${subject}\r\nX-A: a${bytes}Bcc: b@x\r\n\r\nbody\r\n.\r\n`)
        const reply = await onlyReply(t)
        expect(reply).toMatch(oneOrNone)
        if (reply.startsWith('250')) expected.push(subject)
      })
      test(`row 12: a bare ${what} in a command makes no two of it`, async () => {
        const t = await connect()
        const reply = await t.say(`NOOP x${bytes}MAIL FROM:<a@elsewhere.example>`)
        expect(reply).toMatch(/^(?:5\d\d|250|421) /)
        // After a line that no client writes the connection may be closed as well.
        expect(await t.say(`RCPT TO:<${user}>`).catch(() => '503 ended')).toMatch(/^503 /)
        t.cut()
      })
    }

    test('row 13: a final dot that comes in pieces ends the mail, and stuffed dots in pieces do not', async () => {
      const t = await connect()
      await open(t)
      const subject = `pieces ${name}`
      for (const piece of [`Subject: ${subject}\r`, '\n\r', '\n', '.', '.\r', '\n', '..', 'x\r\n', '.', '\r', '\n']) {
        await t.write(piece)
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      expect(await onlyReply(t)).toMatch(/^250 /)
      expected.push(subject)
      await subjects()
      expect(
        site
          .messages(user)
          .find(m => m.includes(subject))
          ?.replaceAll('\r\n', '\n'),
      ).toMatch(/\n\n\.\n\.x\n$/)
    })

    test('what arrived is just what was answered 250', async () => {
      const arrived = (await subjects()).filter(s => s.includes(` ${name} `) || s.endsWith(` ${name}`))
      expect([...arrived].sort()).toEqual(expected.toSorted())
      expect(await subjects()).not.toContain('smuggled')
    })
  })

test('row 12: CR, LF and NUL in an AUTH line log nobody in', async () => {
  for (const bytes of ['\r', '\n', '\0']) {
    const t = await talk(running.port('submission'))
    await t.say('EHLO client.example')
    await t.secure()
    await t.say('EHLO client.example')
    const secret = Buffer.from(`\0${user}\0${site.password}`).toString('base64')
    expect(await t.say(`AUTH PLAIN ${secret.slice(0, 8)}${bytes}${secret.slice(8)}`)).toMatch(/^5\d\d 5\./)
    expect(await t.say(`MAIL FROM:<${user}>`).catch(() => '530 5.7.0 ended')).toMatch(/^530 5\.7\.0 /)
    t.cut()
  }
})
