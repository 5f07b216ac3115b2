import type { Outcome, Phase } from '@posthorn/contracts'
import { isGreylisting } from './hint.ts'

/** What an attempt tells of the receiver: it is there, it is not, or it wants less of us. */
export type Sign = 'answered' | 'absent' | 'busy'

/** Phases before a word can be said about any message. */
const beforeMail: ReadonlySet<Phase> = new Set(['dns', 'connect', 'banner', 'ehlo', 'tls', 'auth'])

/**
 * Undefined when it says nothing of the receiver. Busy is one that says 421, or defers for a reason of its policy (4.7.z, RFC 3463 §3.8) other
 * than greylisting: large receivers throttle so.
 */
export const signOf = ({ fate, phase, reply, notTried }: Outcome): Sign | undefined => {
  if (notTried === true || phase === 'route') return undefined
  if (reply?.code === 421) return 'busy'
  if (fate !== 'deferred') return 'answered'
  if (reply?.enhanced?.startsWith('4.7.') === true && !isGreylisting({ reply })) return 'busy'
  return beforeMail.has(phase) ? 'absent' : 'answered'
}

/** Whether a receiver has answered lately, and until when it is left alone. */
export class Health {
  /** Attempts in a row that did not get through. */
  #failures = 0
  /** How many of them make it dead: the window at the time of the first. */
  #cohort = 1
  /** Pauses in a row. */
  pauses = 0
  /** Wall ms until which nothing is tried. */
  until = 0
  /** Why, for people, and what the last attempt came to. */
  why = ''
  failure: Outcome | undefined
  /** Grows each time it is given up. */
  life = 0
  /** Some attempt of the present run of failures was of a message with time left. */
  young = false

  answered(): void {
    this.#failures = 0
    this.pauses = 0
    this.young = false
  }
  /** Says whether a whole window's worth of attempts in a row failed (one failed cohort, as Postfix has it). */
  failed(window: number): boolean {
    if (this.#failures++ === 0) this.#cohort = this.pauses > 0 ? 1 : window
    return this.#failures >= this.#cohort
  }
  /** Start counting anew, since it is left alone now or, without a pause, is tried on regardless. */
  rest(pause?: { readonly until: number; readonly why: string; readonly failure: Outcome }): void {
    this.#failures = 0
    this.young = false
    this.life++
    if (pause === undefined) return
    this.pauses++
    this.until = pause.until
    this.why = pause.why
    this.failure = pause.failure
  }
  isResting(now: number): boolean {
    return this.pauses > 0 && this.until > now
  }
}
