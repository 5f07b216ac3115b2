import type { Claim, Clock, Journal, Outcome, Queue, Random } from '@posthorn/contracts'
import type { Announcer } from './announcer.ts'
import type { Ending } from './attempt.ts'
import type { Idle } from './idle.ts'
import { expired, judge, overdue, policy, put, returned, waiting } from './judge.ts'
import type { Judgement, When } from './judge.ts'
import type { Action } from '@posthorn/dsn'
import type { Parcel } from './parcel.ts'
import type { Lifetime } from './policy.ts'
import type { Judged, Reporter } from './reporter.ts'
import { settlementOf } from './settlement.ts'
import type { Settler } from './settler.ts'

export interface ConcluderOptions {
  readonly queue: Pick<Queue, 'release'>
  readonly settler: Settler
  readonly reporter: Reporter
  readonly announcer: Announcer
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly life: Lifetime
  /** Work that outlives the attempt: reports and releases. */
  readonly idle: Idle
  /** One claim of the parcel is off our hands. */
  readonly close: (parcel: Parcel) => void
}
interface Held {
  readonly parcel: Parcel
  readonly claim: Claim
  /** What is to be told of it when it is back in the queue. */
  readonly judgement?: Judgement
}

/** Sees to it that what came of an attempt reaches the queue, the sender who is owed a word, and the journal. */
export class Concluder {
  readonly #o: ConcluderOptions

  constructor(o: ConcluderOptions) {
    this.#o = o
  }

  /** `stopped`: we broke the attempt off ourselves; what it put off then counts as not tried. */
  conclude(endings: readonly Ending[], when: When, stopped: boolean): void {
    // Made when they are needed: most attempts succeed, and nobody asked for a report.
    let released: Map<string, { due: number; why: string; held: Held[] }> | undefined
    let reported: Map<Action, Judged[]> | undefined
    for (const ending of endings) {
      const judgement = this.#judge(ending, when, stopped)
      const { parcel, claim } = ending
      if (ending.context !== undefined) judgement.context = ending.context
      if (judgement.fate.to === 'release') {
        const { due, why } = judgement.fate
        // Those of a policy keep to their own times; what could not be tried comes back together.
        const key = judgement.outcome === policy ? `${due} ${why}` : why
        const group = (released ??= new Map()).get(key)
        const held: Held = judgement.outcome === policy ? ending : { parcel, claim, judgement }
        if (group === undefined) released.set(key, { due, why, held: [held] })
        else group.held.push(held)
      } else if (judgement.report !== undefined) {
        const group = (reported ??= new Map()).get(judgement.report)
        if (group === undefined) reported.set(judgement.report, [{ parcel, judgement }])
        else group.push({ parcel, judgement })
      } else this.#settle(parcel, judgement)
    }
    for (const { due, why, held } of released?.values() ?? []) this.release(held, due, why)
    for (const [action, group] of reported ?? []) this.#report(action, group)
  }

  /** Give back untried. */
  release(held: readonly Held[], due: number, why: string): void {
    if (held.length > 0) void this.#o.idle.during(this.#release(held, due, why))
  }

  /** Return what has been tried before and has no time left, without another try: its site is known to be dead. */
  giveUp(held: readonly Held[], outcome: Outcome): void {
    this.#fail(held, claim => expired(claim, { outcome, when: undefined, life: this.#o.life }))
  }

  /** Return what an operator wants returned. */
  sendBack(held: readonly Held[]): void {
    this.#fail(held, claim => returned(claim, claim.bounce ?? '', this.#o.life))
  }

  #fail(held: readonly Held[], judgementOf: (claim: Claim) => Judgement): void {
    const reported: Judged[] = []
    for (const { parcel, claim } of held) {
      const judgement = judgementOf(claim)
      if (judgement.report === undefined) this.#settle(parcel, judgement)
      else reported.push({ parcel, judgement })
    }
    this.#report('failed', reported)
  }

  #settle(parcel: Parcel, judgement: Judgement): void {
    this.#o.settler.add(settlementOf(judgement), settled => {
      this.#o.close(parcel)
      this.#o.announcer.tell(judgement, settled)
    })
  }

  #judge(ending: Ending, when: When, stopped: boolean): Judgement {
    const { life, random } = this.#o
    const { claim } = ending
    if ('wait' in ending) return waiting(claim, { ms: ending.wait, why: ending.why }, when.now, life)
    if ('late' in ending) return overdue(claim, when.now, life)
    if ('outcome' in ending) {
      if (stopped && ending.outcome.fate === 'deferred')
        return put(claim, { to: 'release', due: when.now, why: 'the dispatcher stopped' })
      return judge(claim, ending.outcome, when, life, random)
    }
    return put(claim, { to: 'held', why: ending.hold })
  }

  /** One report for each sender: claims of one parcel share theirs, and a batch has several parcels. */
  #report(action: Action, group: readonly Judged[]): void {
    const byParcel = new Map<Parcel, Judged[]>()
    for (const judged of group) {
      const same = byParcel.get(judged.parcel)
      if (same === undefined) byParcel.set(judged.parcel, [judged])
      else same.push(judged)
    }
    for (const same of byParcel.values()) void this.#o.idle.during(this.#o.reporter.report(action, same))
  }

  async #release(held: readonly Held[], due: number, why: string): Promise<void> {
    const { queue, journal, close, announcer } = this.#o
    try {
      const leases = held.map(({ claim: { delivery, token } }) => ({ delivery, token }))
      await queue.release(leases, due, why)
      for (const { judgement } of held) if (judgement !== undefined) announcer.tell(judgement, 'ok')
    } catch (error) {
      // Nobody renews them any more, so they lapse and are claimed again.
      journal.event('error', { where: 'release', cause: String(error), leases: held.length }, 'error')
    }
    for (const { parcel } of held) close(parcel)
  }
}
