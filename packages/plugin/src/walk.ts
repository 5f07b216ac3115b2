import { policyFailure } from '@posthorn/reply'
import type { Clock } from '@posthorn/contracts'
import type { HookFailure, OnError, OnVerdict } from './chain.ts'
import type { Edit, HookMap, HookName, Recipient } from './hooks.ts'
import { judge } from './judge.ts'
import { Scope } from './scope.ts'
import { isStop, pass, permit } from './verdict.ts'
import type { Pass, Stop } from './verdict.ts'

/** One plugin at one hook. */
export interface Step {
  readonly plugin: string
  readonly run: (input: unknown, ctx: unknown) => unknown
  /** The operator said that a failure of this plugin counts as if it were not there. */
  readonly tolerated: boolean
}
/** What all walks of one chain share. */
export interface Walks {
  readonly clock: Clock
  readonly deadlineMs: number
  readonly onVerdict: OnVerdict | undefined
  readonly onError: OnError | undefined
}
export type AskingKind = Exclude<HookMap[HookName]['kind'], 'observe'>

class HookTimeout extends Error {
  override readonly name = 'TimeoutError'
}
class Nonsense extends Error {
  override readonly name = 'NonsenseError'
}

const isThenable = (x: unknown): x is PromiseLike<unknown> =>
  typeof x === 'object' && x !== null && typeof (x as { readonly then?: unknown }).then === 'function'

/**
 * One question put to the plugins of one hook, in order. As long as they answer synchronously nothing but this object is made.
 * From the first promise on, one deadline runs for the rest of the walk; an answer that comes after its turn is ignored.
 */
export class Walk {
  readonly #shared: Walks
  readonly #hook: HookName
  readonly #kind: AskingKind
  readonly #steps: readonly Step[]
  readonly #input: unknown
  readonly #ctx: object
  #at = 0
  /** Grows whenever the walk goes on: what was awaited before has lost its say. */
  #turn = 0
  /** When the promise at hand was given; undefined while nobody is waited for. */
  #began: number | undefined
  #resolve: ((result: unknown) => void) | undefined
  #cancel: (() => void) | undefined
  #permitted = false
  #hold: string | undefined
  #each: Map<Recipient, Pass | Stop> | undefined
  #edits: Edit[] | undefined

  constructor(
    shared: Walks,
    row: { readonly hook: HookName; readonly kind: AskingKind; readonly steps: readonly Step[] },
    input: unknown,
    ctx: object,
  ) {
    this.#shared = shared
    this.#hook = row.hook
    this.#kind = row.kind
    this.#steps = row.steps
    this.#input = input
    this.#ctx = ctx
  }

  /** The result, or a promise of it. Never throws, never rejects. */
  go(): unknown {
    for (let step = this.#steps[this.#at]; step !== undefined; step = this.#steps[(this.#at += 1)]) {
      const end = this.#ask(step)
      if (end !== undefined) return end
    }
    return this.#finish()
  }

  /** The end, a promise of it, or undefined to go on. */
  #ask(step: Step): unknown {
    try {
      const answer = step.run(this.#input, this.#ctx)
      if (answer === pass && this.#kind === 'decide') return undefined
      if (isThenable(answer)) return this.#wait(answer)
      return this.#take(step, answer)
    } catch (error) {
      return this.#fail(step, error)
    }
  }

  /** Once: make the promise and start the deadline. After that the promise already made goes on. */
  #wait(answer: PromiseLike<unknown>): Promise<unknown> {
    this.#began = this.#shared.clock.monotonic()
    this.#cancel ??= this.#shared.clock.after(this.#shared.deadlineMs, () => this.#late())
    this.#follow(answer)
    if (this.#resolve !== undefined) return WAITING
    return new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  #follow(answer: PromiseLike<unknown>): void {
    const turn = (this.#turn += 1)
    // The wrapping promise takes only the first settlement of whatever thenable this is.
    Promise.resolve(answer).then(
      value => this.#resume(turn, step => this.#take(step, value)),
      (error: unknown) => this.#resume(turn, step => this.#fail(step, error)),
    )
  }

  #late(): void {
    this.#cancel = undefined
    const timeout = new HookTimeout(`no answer within ${this.#shared.deadlineMs} ms`)
    // First, so that a plugin asked next does not start its work under the signal that ends here.
    if (this.#ctx instanceof Scope) this.#ctx.expire(timeout)
    this.#resume(this.#turn, step => this.#fail(step, timeout))
  }

  /** Go on after a promise, unless the walk has moved on without it. */
  #resume(turn: number, settle: (step: Step) => unknown): void {
    const step = this.#steps[this.#at]
    if (turn !== this.#turn || step === undefined) return
    this.#turn += 1
    let end: unknown
    try {
      end = settle(step)
    } catch (error) {
      end = this.#fail(step, error)
    }
    this.#began = undefined
    this.#at += 1
    end ??= this.go()
    if (end === WAITING) return
    this.#cancel?.()
    this.#cancel = undefined
    this.#turn += 1
    this.#at = this.#steps.length
    this.#resolve?.(end)
  }

  /** An answer has come: the end, or undefined to go on. */
  #take(step: Step, answer: unknown): unknown {
    if (answer === (this.#kind === 'decide' ? pass : undefined)) return undefined
    const judged = judge(this.#hook, answer, this.#ctx)
    if (judged === undefined) throw new Nonsense(`${describe(answer)} is no answer to ${this.#hook}`)
    this.#report(step, judged.verdict)
    if (this.#kind === 'claim') return judged.value
    if (this.#kind === 'gather') (this.#edits ??= []).push(judged.value as Edit)
    else return this.#decide(judged.value)
    return undefined
  }

  /**
   * Stops, discards and what `attempt` adds are the end. A permit, a hold and answers per recipient are kept: a later plugin may
   * still refuse, and what a first one holds must not slip past the virus scanner behind it.
   */
  #decide(value: unknown): unknown {
    if (value === permit) this.#permitted = true
    else if (isStop(value) || this.#hook !== 'message') return value
    else {
      const ending = value as HookMap['message']['out']
      if ('hold' in ending) this.#hold ??= ending.hold
      else if ('each' in ending) this.#keepEach(ending.each)
      else return value
    }
    return undefined
  }

  #keepEach(each: ReadonlyMap<Recipient, Pass | Stop>): void {
    this.#each ??= new Map()
    for (const [recipient, stop] of each) if (!this.#each.has(recipient)) this.#each.set(recipient, stop)
  }

  #fail(step: Step, error: unknown): unknown {
    const kind = error instanceof HookTimeout ? 'timeout' : error instanceof Nonsense ? 'nonsense' : 'error'
    this.#report(step, kind)
    reportError(this.#shared.onError, step.plugin, this.#hook, error)
    if (step.tolerated) return undefined
    return this.#kind === 'decide' ? policyFailure : ({ failed: true, plugin: step.plugin } satisfies HookFailure)
  }

  #report(step: Step, verdict: string): void {
    const { onVerdict, clock } = this.#shared
    if (onVerdict === undefined) return
    const { plugin } = step
    const hook = this.#hook
    try {
      if (this.#began === undefined) onVerdict({ plugin, hook, verdict }, this.#ctx)
      else onVerdict({ plugin, hook, verdict, ms: clock.monotonic() - this.#began }, this.#ctx)
    } catch (error) {
      reportError(this.#shared.onError, plugin, hook, error)
    }
  }

  #finish(): unknown {
    if (this.#kind === 'claim') return undefined
    if (this.#kind === 'gather') return this.#edits ?? NO_EDITS
    if (this.#permitted) return permit
    const hold = this.#hold
    const each = this.#each
    if (hold === undefined) return each === undefined || each.size === 0 ? pass : { each }
    return each === undefined || each.size === 0 ? { hold } : { hold, each }
  }
}

const NO_EDITS: readonly Edit[] = Object.freeze([])
/** Stands for the promise that was already handed out. */
const WAITING: Promise<unknown> = Promise.resolve()

const describe = (answer: unknown): string => {
  if (answer === null || answer === undefined || typeof answer === 'boolean') return String(answer)
  return typeof answer === 'object' ? 'an object that does not fit' : `a ${typeof answer}`
}

/** Tell of an error; a teller that throws itself is not our plugins' fault and must not fail their walk. */
export const reportError = (
  onError: OnError | undefined,
  plugin: string,
  hook: Parameters<OnError>[1],
  error: unknown,
): void => {
  try {
    onError?.(plugin, hook, error)
  } catch {
    // Nobody is left to tell.
  }
}
