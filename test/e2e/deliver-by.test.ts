import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { DeliverBy } from '@posthorn/contracts'
import { createLab } from '@posthorn/lab'
import type { Lab } from '@posthorn/lab'
import { bodyOf } from '@posthorn/message'
import { createClient } from '@posthorn/smtp-client'
import type { SmtpClient } from '@posthorn/smtp-client'
import { manualClock } from '@posthorn/testkit'

// Whole mail systems with their disks, on machines that do other things as well.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const HOUR = 3_600_000
const clock = manualClock({ settle: () => setImmediate() })
const directory = mkdtempSync(join(tmpdir(), 'posthorn-deliver-by-'))
let lab: Lab
let laptop: SmtpClient

beforeAll(async () => {
  lab = await createLab({
    directory,
    clock,
    organisations: [
      { domain: 'green.example', ip: '192.0.2.10', users: { ann: 'secret of ann' } },
      {
        domain: 'blue.example',
        ip: '192.0.2.20',
        users: { bob: 'secret of bob' },
        config: { deliverBy: { offer: 'everyone', minimum: '60s' } },
      },
      { domain: 'red.example', ip: '192.0.2.30', users: { carol: 'secret of carol', dave: 'secret of dave' } },
    ],
  })
  laptop = createClient({ network: lab.network.from('198.51.100.9'), clock, hostname: 'laptop.test' })
})
afterAll(async () => {
  await laptop.close()
  // Who drains waits for a while, which only we can end.
  const stopped = lab.stop().then(() => true)
  while (!(await Promise.race([stopped, setTimeout(10, false)]))) await clock.advance(1_000)
  rmSync(directory, { recursive: true, force: true })
})

const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text)
  if (parsed === undefined) throw new Error(`${text} is no address`)
  return parsed
}
const ann = mailbox('ann@green.example')

let letters = 0
/** Ann submits a message; its subject. */
const submit = async (to: string, ms: number, mode: DeliverBy['mode'], trace = false): Promise<string> => {
  const subject = `letter ${++letters}.`
  const [outcome] = await laptop.send(
    {
      returnPath: ann,
      recipients: [{ to: mailbox(to) }],
      body: bodyOf(new TextEncoder().encode(`From: ann@green.example\r\nSubject: ${subject}\r\n\r\nHello\r\n`)),
      smtputf8: false,
      eightBit: '7bit',
      requireTls: false,
      deliverBy: { at: clock.wall() + ms, mode, trace },
    },
    {
      protocol: 'smtp',
      host: 'mx.green.example',
      ip: '192.0.2.10',
      port: 587,
      tls: { level: 'encrypt', names: ['mx.green.example'], because: 'configuration' },
      credentials: { user: 'ann@green.example', password: 'secret of ann' },
    },
    new AbortController().signal,
  )
  expect(outcome).toMatchObject({ fate: 'relayed', deliverByTakenOver: true })
  return subject
}

/** Messages of a mailbox about a letter. */
const about = async (subject: string, user: string, domain: string): Promise<readonly string[]> =>
  (await lab.organisation(domain).messages(user)).filter(text => text.includes(`Subject: ${subject}`))
/** The actions and statuses that Ann has heard of a letter. */
const reports = async (subject: string): Promise<readonly string[]> =>
  (await about(subject, 'ann', 'green.example')).map(
    text => `${/^Action: (\w+)/m.exec(text)?.[1]} ${/^Status: (\S+)/m.exec(text)?.[1]}`,
  )
/** Let disks and queues get on with it until there is something; nearly no time passes. */
const eventually = async (what: () => Promise<readonly string[]>): Promise<readonly string[]> => {
  for (;;) {
    const found = await what()
    if (found.length > 0) return found
    await setTimeout(10)
    await clock.advance(1)
  }
}

describe('a next hop that offers DELIVERBY', () => {
  test('delivers in time, and the trace tells of the relay', async () => {
    const subject = await submit('bob@blue.example', HOUR, 'return', true)
    await eventually(() => about(subject, 'bob', 'blue.example'))
    expect(await eventually(() => reports(subject))).toEqual(['relayed 2.0.0'])
    const [report] = await about(subject, 'ann', 'green.example')
    expect(report).toMatch(/^Deliver-By-Date: Thu, 01 Jan 2026 0[01]:/m)
  })
  test('is not given what it would have to deliver sooner than it can', async () => {
    const subject = await submit('bob@blue.example', 30_000, 'return')
    expect(await eventually(() => reports(subject))).toEqual(['failed 5.4.7'])
    expect((await about(subject, 'ann', 'green.example'))[0]).toMatch(/ \d+ s are left .* no less than 60 s/)
    expect(await about(subject, 'bob', 'blue.example')).toEqual([])
  })
  test('tells the sender itself when it is late', async () => {
    const subject = await submit('bob@blue.example', 30_000, 'notify')
    await eventually(() => about(subject, 'bob', 'blue.example'))
    expect(await reports(subject)).toEqual([])
  })
})

describe('a next hop that does not', () => {
  test('is not given what is to come back unless it is delivered in time', async () => {
    const subject = await submit('carol@red.example', HOUR, 'return')
    expect(await eventually(() => reports(subject))).toEqual(['failed 5.4.7'])
    expect((await about(subject, 'ann', 'green.example'))[0]).toContain('does not offer DELIVERBY')
    expect(await about(subject, 'carol', 'red.example')).toEqual([])
  })
  test('gets the rest, and the sender hears that from here on nobody looks at the time', async () => {
    const subject = await submit('carol@red.example', HOUR, 'notify')
    await eventually(() => about(subject, 'carol', 'red.example'))
    expect(await eventually(() => reports(subject))).toEqual(['relayed 2.0.0'])
  })
})

test('late in mode N: the sender is told once, and delivery goes on', async () => {
  lab.network.setDown('192.0.2.30', true)
  const subject = await submit('dave@red.example', HOUR, 'notify')
  for (let minutes = 0; minutes < 59; minutes++) await clock.advance(60_000)
  expect(await reports(subject)).toEqual([])
  // The receiver is left alone for seconds at a time, and the disk is a real one.
  const told = async (): Promise<readonly string[]> => {
    await clock.advance(10_000)
    return reports(subject)
  }
  expect(await eventually(told)).toEqual(['delayed 4.4.1'])
  for (let minutes = 0; minutes < 60; minutes++) await clock.advance(60_000)
  expect(await reports(subject)).toHaveLength(1)
  lab.network.setDown('192.0.2.30', false)
  const there = async (): Promise<readonly string[]> => {
    await clock.advance(10_000)
    return about(subject, 'dave', 'red.example')
  }
  expect(await eventually(there)).toHaveLength(1)
  const heard = async (): Promise<readonly string[]> => {
    const all = await reports(subject)
    return all.length > 1 ? all : []
  }
  expect((await eventually(heard)).toSorted()).toEqual(['delayed 4.4.1', 'relayed 2.0.0'])
})
