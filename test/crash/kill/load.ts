import type { Random } from '@posthorn/contracts'
import { contentOf, headOf } from '../powercut/content.ts'
import { sendMail, talk } from '../../peers/talk.ts'

/** Where a message for one recipient must end up. */
export type Goal = 'here' | 'there' | 'bounce'
const addressOf: Readonly<Record<Goal, string>> = {
  here: 'ann@example.org',
  there: 'bob@example.net',
  bounce: 'nobody@example.net',
}

/** A message that was sent, and what its client was told. */
export interface Sent {
  readonly name: string
  readonly goals: readonly Goal[]
  /** When, wall time in ms. */
  readonly at: number
  /** Undefined: the connection was cut before the last reply. */
  reply: string | undefined
}

/** All that was sent since the last account. */
export type Log = Map<string, Sent>

/** The message of that name, without the line end that the final dot needs. */
export const mailOf = (name: string): string =>
  `Subject: ${name}\r\n${Buffer.from(headOf(name)).toString()}${Buffer.from(contentOf(name)).toString().trimEnd()}`

const goalsOf = (random: Random): readonly Goal[] => {
  const all: readonly (readonly Goal[])[] = [['here'], ['here'], ['there'], ['there'], ['here', 'there'], ['bounce']]
  return all[random.int(all.length)] ?? ['here']
}

/** Every fifth is too large for the database, and goes through the spool. */
const sizeOf = (random: Random): number =>
  random.int(5) === 0 ? 70_000 + random.int(120_000) : 300 + random.int(8_000)

/**
 * One client that sends message after message until the server is gone; each is sent once, whatever comes of it. One that was cut off by
 * the end of a worker connects again.
 */
export const sendUntilCut = async (port: number, o: LoadOptions): Promise<void> => {
  for (let life = 0; !o.isOver(); life++) {
    await sendUntilEnd(port, { ...o, label: `${o.label}.${life}` })
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

interface LoadOptions {
  readonly label: string
  readonly log: Log
  readonly random: Random
  /** The whole server is gone. */
  readonly isOver: () => boolean
}

const sendUntilEnd = async (port: number, o: LoadOptions): Promise<void> => {
  try {
    const t = await talk(port)
    await t.say('EHLO client.example')
    for (let i = 0; ; i++) {
      const sent: Sent = {
        name: `${o.label}.${i}-${sizeOf(o.random)}`,
        goals: goalsOf(o.random),
        at: Date.now(),
        reply: undefined,
      }
      o.log.set(sent.name, sent)
      const to = sent.goals.map(goal => addressOf[goal])
      sent.reply = await sendMail(t, { from: addressOf.here, to, content: mailOf(sent.name) })
    }
  } catch {
    // It was killed.
  }
}
