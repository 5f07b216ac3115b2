import { mailFirst, notImplemented, startTlsFirst, tooBig, isReply } from '@posthorn/reply'
import { andThen, isStop } from '@posthorn/plugin'
import type { Awaitable } from '@posthorn/contracts'
import type { Reply } from '@posthorn/reply'
import type { Command } from '@posthorn/smtp'
import { ChunkReader } from './chunk-reader.ts'
import { Content } from './content.ts'
import { receive, refuse, refuseData, withoutRecipients } from './data.ts'
import { Gathering } from './gathering.ts'
import { greetFirst } from './hello.ts'
import type { Envelope } from './envelope.ts'
import type { Input } from './input.ts'
import type { Session } from './session.ts'
import type { Said, Stage } from './stage.ts'

type Bdat = Extract<Command, { verb: 'BDAT' }>

/** No chunk is larger in earnest; nobody waits for the end of one that is. */
const LARGEST = 2 ** 31 - 1

/**
 * The octets of a chunk that was refused. They must be read before the refusal is said, and are never taken for commands, whatever
 * they look like (RFC 3030 §2).
 */
class Discarded implements Stage {
  readonly #session: Session
  readonly #until: number
  readonly #reply: () => Said
  #left: number

  constructor(session: Session, size: number, reply: () => Said) {
    this.#session = session
    this.#left = size
    this.#reply = reply
    this.#until = session.desk.clock.monotonic() + session.desk.limits.messageMs
  }
  due(now: number): number {
    return Math.min(now + this.#session.desk.limits.dataMs, this.#until)
  }
  abort(): void {}
  read(input: Input): Said | undefined {
    const { chunk, at } = input
    if (chunk === undefined) return undefined
    const taken = Math.min(chunk.length - at, this.#left)
    this.#left -= taken
    input.advance(at + taken)
    return this.#left === 0 ? this.#session.concluded(this.#reply()) : ''
  }
}
const discard = (session: Session, size: number, reply: () => Said): Said => {
  if (size > LARGEST) return session.hangUp(tooBig)
  if (size === 0) return session.concluded(reply())
  session.enter(new Discarded(session, size, reply))
  return ''
}

/** What is said where no chunk may come. */
const misplaced = (session: Session): Reply | undefined => {
  const { greeted, envelope, offered, desk, secure } = session
  if (greeted === undefined) return greetFirst(session)
  if (desk.service.requireTls === true && !secure) return startTlsFirst
  if (!offered.has('CHUNKING')) return notImplemented
  if (envelope === undefined) return mailFirst
  return envelope.answered.length > 0 ? undefined : withoutRecipients(session)
}

/** The first chunk: what DATA asks before 354 is asked here. */
const begin = (session: Session, envelope: Envelope, { size, last }: Bdat): Awaitable<Said> =>
  andThen(session.desk.service.chain.decide('data', envelope.accepted, envelope), answer => {
    if (isStop(answer)) return discard(session, size, () => refuseData(session, envelope, answer))
    const reception = receive(session, envelope)
    if (isReply(reception)) return discard(session, size, () => refuse(session, envelope, reception))
    const reader = new ChunkReader(envelope.params.body === 'binarymime')
    const content = new Content(session, envelope, { reception: new Gathering(reception), reader })
    envelope.chunked = { content, reader }
    return content.chunk(reader, size, last)
  })

/**
 * BDAT: octets of the message follow it at once, whether it is welcome or not. After a refused one the transaction is over, and what was
 * pipelined behind it is refused in the same way.
 */
export const takeChunk = (session: Session, command: Bdat): Awaitable<Said> => {
  const { size, last } = command
  const reply = misplaced(session)
  if (reply !== undefined) return discard(session, size, () => session.trailing(reply))
  const { envelope } = session
  if (envelope === undefined || size > LARGEST) return session.hangUp(tooBig)
  if (envelope.chunked === undefined) return begin(session, envelope, command)
  const over = size === 0 && !last ? session.budget.idleCommand() : undefined
  if (over !== undefined) return session.hangUp(over)
  return envelope.chunked.content.chunk(envelope.chunked.reader, size, last)
}
