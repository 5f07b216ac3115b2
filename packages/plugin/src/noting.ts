import type { Verdict } from '@posthorn/contracts'
import type { OnVerdict } from './chain.ts'
import { Scope } from './scope.ts'

/** Enough to see why; a bound, since one context may meet a hook any number of times. */
const MOST_VERDICTS = 100
const none: readonly Verdict[] = Object.freeze([])

/** A context that keeps what plugins said in it, so that it can be stored with the message in one piece. */
export abstract class Noting extends Scope {
  #verdicts: Verdict[] | undefined
  #last: Verdict | undefined

  get verdicts(): readonly Verdict[] {
    return this.#verdicts ?? none
  }
  /** The one that fell last, kept or not: after a chain said stop, that of the plugin which did. */
  get lastVerdict(): Verdict | undefined {
    return this.#last
  }
  /** Keep a verdict; the first hundred are kept. */
  note(verdict: Verdict): void {
    this.#last = verdict
    this.#verdicts ??= []
    if (this.#verdicts.length < MOST_VERDICTS) this.#verdicts.push(verdict)
  }
}

/** Give this to `createChain` as `onVerdict`: verdicts stay with the context in which they fell, if it is a `Noting` one. */
export const keepVerdict: OnVerdict = (verdict, context) => {
  if (context instanceof Noting) context.note(verdict)
}
