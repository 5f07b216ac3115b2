import type { Clock, Random, Wire, WireReader } from '@posthorn/contracts'
import type { Ledger } from './ledger.ts'
import { happens } from './trouble.ts'
import type { Trouble } from './trouble.ts'

export interface Elsewhere {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly trouble: Trouble
  readonly ledger: Ledger
  readonly now: () => number
  readonly log: (what: string) => void
  /** What it says to EHLO. */
  readonly keywords: readonly string[]
}

/**
 * A server of somebody else's, written for this and sharing nothing with ours: it defers, refuses, dawdles, raves and hangs up as
 * the trouble of the day says, and notes what it took. Mail for `nobody…` is refused always.
 */
export const serveElsewhere = (o: Elsewhere, wire: Wire): void => {
  const session = new Session(o, wire)
  wire.read(session)
  session.answer(`220 ${o.name} ESMTP`)
}

class Session implements WireReader {
  readonly #o: Elsewhere
  readonly #wire: Wire
  #text = ''
  #busy = false
  #gone = false
  #sender: string | undefined
  #rcpts: string[] = []
  #inData = false

  constructor(o: Elsewhere, wire: Wire) {
    this.#o = o
    this.#wire = wire
  }

  data(chunk: Uint8Array): void {
    this.#text += Buffer.from(chunk).toString('latin1')
    this.#next()
  }
  end(): void {
    this.#gone = true
    this.#wire.close()
  }
  closed(): void {
    this.#gone = true
  }

  /** Say something after a while, then read on. */
  answer(reply: string, close = false): void {
    const { random, trouble, clock } = this.#o
    this.#busy = true
    const ms = happens(random, trouble.peerDawdles) ? random.next() * 400_000 : random.next() * 50
    clock.after(ms, () => {
      this.#busy = false
      if (this.#gone) return
      this.#wire.write(`${reply}\r\n`)
      if (close) {
        this.#gone = true
        this.#wire.close()
      } else this.#next()
    })
  }

  #next(): void {
    if (this.#busy || this.#gone) return
    if (this.#inData) return this.#content()
    const end = this.#text.indexOf('\r\n')
    if (end === -1) return
    const line = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 2)
    this.#command(line)
  }

  #command(line: string): void {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'QUIT') return this.answer('221 2.0.0 Bye', true)
    if (verb === 'EHLO')
      return this.answer(
        [this.#o.name, ...this.#o.keywords]
          .map((k, i, all) => `250${i === all.length - 1 ? ' ' : '-'}${k}`)
          .join('\r\n'),
      )
    if (verb === 'RSET' || verb === 'MAIL') this.#reset()
    if (verb === 'RSET' || verb === 'NOOP') return this.answer('250 2.0.0 Ok')
    if (this.#misbehaves(verb)) return
    const path = /<([^>]*)>/.exec(line)?.[1]
    if (verb === 'MAIL' && path !== undefined) {
      this.#sender = path
      return this.answer('250 2.1.0 Ok')
    }
    if (verb === 'RCPT' && path !== undefined && this.#sender !== undefined) {
      if (path.startsWith('nobody')) return this.answer('550 5.1.1 Nobody of that name')
      this.#rcpts.push(path)
      return this.answer('250 2.1.5 Ok')
    }
    if (verb === 'DATA') {
      if (this.#rcpts.length === 0) return this.answer('554 5.5.1 No valid recipients')
      this.#inData = true
      return this.answer('354 Go ahead')
    }
    this.answer('503 5.5.1 What?')
  }

  #content(): void {
    const { now, ledger, name, random, trouble, log } = this.#o
    const end = this.#text.startsWith('.\r\n') ? 0 : this.#text.indexOf('\r\n.\r\n')
    if (end === -1) return
    const stuffed = end === 0 ? '' : this.#text.slice(0, end + 2)
    this.#text = this.#text.slice(end === 0 ? 3 : end + 5)
    this.#inData = false
    const [sender, rcpts] = [this.#sender ?? '', this.#rcpts]
    this.#reset()
    if (this.#misbehaves('dot')) return
    const text = stuffed.replaceAll(/^\./gm, '')
    for (const rcpt of rcpts) ledger.copies.push({ at: now(), host: name, place: rcpt, rcpt, sender, text })
    log(`takes a message for ${rcpts.join(' ')}`)
    // Taken, and not said so.
    if (happens(random, trouble.peerHangsUp)) return this.#hangUp()
    this.answer('250 2.0.0 Taken')
  }

  #reset(): void {
    this.#sender = undefined
    this.#rcpts = []
  }
  #hangUp(): void {
    this.#gone = true
    this.#wire.abort()
  }
  /** Whether it does something else than what was asked. */
  #misbehaves(at: string): boolean {
    const { random, trouble } = this.#o
    if (happens(random, trouble.peerHangsUp)) this.#hangUp()
    else if (happens(random, trouble.peerRaves))
      this.answer(['hello?', '999 x', '250-endless', '354 Now?'][random.int(4)] ?? '')
    else if (happens(random, trouble.peerDefers))
      if (random.next() < 0.2) this.answer(`421 4.3.2 Not now (${at})`, true)
      else this.answer(`451 4.7.1 Come again (${at})`)
    else if (happens(random, trouble.peerRefuses)) this.answer(`554 5.7.1 No (${at})`)
    else return false
    return true
  }
}
