import { encodeReply, shuttingDown } from '@posthorn/reply'
import { isPending } from '@posthorn/plugin'
import type { Awaitable, Clock, Wire } from '@posthorn/contracts'
import { Deadline } from './deadline.ts'
import { Link } from './link.ts'
import type { Input } from './input.ts'
import type { Limits } from './limits.ts'
import type { LinkOwner } from './link.ts'
import type { Said } from './stage.ts'

/** Who is given the client's words and answers them. */
export interface Speaker {
  /** Read the next thing and answer it; `undefined` when it has not all come. */
  next(input: Input): Awaitable<Said> | undefined
  /** What nobody foresaw. */
  failed(error: unknown): Said
  /** In the middle of a message or an AUTH, which a drain or a last reply lets end. */
  readonly engaged: boolean
  /** Monotonic time by which the client must have said more. */
  due(now: number): number
  /** It has not. */
  tooLate(): Said
  /** The wire is closed; called once. */
  gone(error: Error | undefined): void
}

/** What the turns need of the listener. */
export interface TurnsSettings {
  readonly clock: Clock
  readonly limits: Limits
  readonly trace: ((line: string) => void) | undefined
}

/** The client speaks, we answer, in order: the loop of a session with its deadlines and its end. Never two answers at a time. */
export class Turns implements LinkOwner {
  readonly link: Link
  readonly #speaker: Speaker
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #deadline: Deadline
  /** An answer is awaited, or the loop runs. */
  #busy = true
  #endsGroup = false
  #last = false
  #draining = false
  #gone = false

  constructor(wire: Wire, speaker: Speaker, { clock, limits, trace }: TurnsSettings) {
    this.#speaker = speaker
    this.#clock = clock
    this.#limits = limits
    this.#deadline = new Deadline(clock, () => this.#expired())
    this.link = new Link(wire, limits, this, trace)
  }

  /** We speak first. */
  open(greeting: Awaitable<Said>): void {
    this.#await(greeting)
  }
  /** The reply at hand may not wait for others (RFC 2920 §3.2). */
  endGroup(): void {
    this.#endsGroup = true
  }
  /** Close after the reply at hand. */
  lastWords(): void {
    this.#last = true
  }

  wake(): void {
    if (this.#busy || this.link.congested) return
    this.#busy = true
    for (let more = true; more;) more = this.#turn()
  }
  /** Whether there is more to do at once. */
  #turn(): boolean {
    let said: Awaitable<Said> | undefined
    try {
      said = this.#speaker.next(this.link.input)
    } catch (error) {
      said = this.#speaker.failed(error)
    }
    if (said === undefined) return this.#starved()
    if (!isPending(said)) return this.#say(said)
    this.#await(said)
    return false
  }
  #await(answer: Awaitable<Said>): void {
    if (!isPending(answer)) return this.#answered(answer)
    this.#deadline.set(this.#clock.monotonic() + this.#limits.answerMs)
    void answer.then(
      said => this.#answered(said),
      (error: unknown) => this.#answered(this.#speaker.failed(error)),
    )
  }
  #answered(said: Said): void {
    if (this.#gone || this.link.closing) return
    this.#busy = false
    if (this.#say(said)) this.wake()
  }
  #say(said: Said): boolean {
    this.link.say(said)
    if (!this.#speaker.engaged && this.#isOver()) return this.#close()
    if (this.#endsGroup) {
      this.#endsGroup = false
      this.link.flush()
    }
    if (!this.link.congested) return true
    // The client does not read its replies. It has as long to do so as for a command.
    this.#deadline.set(this.#clock.monotonic() + this.#limits.commandMs)
    this.#busy = false
    return false
  }
  #isOver(): boolean {
    if (this.#last) return true
    if (this.#draining) this.link.say(encodeReply(shuttingDown))
    return this.#draining
  }
  /** All that came has been read: what was gathered leaves, and time begins to run. */
  #starved(): boolean {
    this.link.flush()
    if (this.link.ended) return this.#close()
    this.#busy = false
    this.#deadline.set(this.#speaker.due(this.#clock.monotonic()))
    this.link.relax()
    return false
  }

  #expired(): void {
    // Whoever does not read gets no last words either: they would wait behind the rest.
    if (this.link.congested) return this.link.abort()
    this.link.say(this.#speaker.tooLate())
    this.#close()
  }
  /** Look at the time anew. */
  hurry(): void {
    if (!this.#busy && !this.link.closing) this.#deadline.set(this.#speaker.due(this.#clock.monotonic()))
  }
  /** Say 421 at once, or after the message or command at hand (RFC 5321 §3.8). */
  drain(): void {
    this.#draining = true
    if (this.#busy || this.#speaker.engaged || this.link.closing) return
    this.link.say(encodeReply(shuttingDown))
    this.#close()
  }
  #close(): false {
    this.#busy = true
    this.#deadline.clear()
    this.link.close()
    return false
  }
  gone(error: Error | undefined): void {
    if (this.#gone) return
    this.#gone = true
    this.#busy = true
    this.#deadline.clear()
    this.#speaker.gone(error)
  }
}
