import type { Fate, Journal } from '@posthorn/contracts'
import { classify } from '@posthorn/dsn'
import type { Classifier } from '@posthorn/dsn'
import type { Chain } from '@posthorn/plugin'
import { tellJournal } from './delivery-event.ts'
import type { Judgement } from './judge.ts'
import type { Settled } from './settler.ts'

/** Tells the journal and the `settled` hook what became of an attempt, after it is on stable storage and not before. */
export class Announcer {
  readonly #journal: Journal
  readonly #chain: Chain
  readonly #classify: Classifier

  constructor(o: { readonly journal: Journal; readonly chain: Chain; readonly classify?: Classifier }) {
    this.#journal = o.journal
    this.#classify = o.classify ?? classify
    this.#chain = o.chain
  }

  /** `fate`: what was stored instead of the judgement's own, a deferral. */
  tell(judgement: Judgement, settled: Settled, fate?: Fate): void {
    if (settled === 'stale') return this.#stale(judgement)
    const told: Judgement = fate === undefined ? judgement : { ...judgement, fate, event: 'delivery.deferred' }
    tellJournal(this.#journal, told, this.#classify)
    const { context, outcome } = judgement
    if (context !== undefined) this.#chain.observe('settled', outcome, context)
  }

  /** The lease was another's by then: what happened has happened, but the queue does not know, and it is tried again. */
  #stale({ claim, fate }: Judgement): void {
    const cause = `the lease was lost before its end (${fate.to}) was stored`
    const fields = { where: 'settle', cause, id: claim.id, rcpt: claim.to.to.wire, site: claim.site }
    this.#journal.event('error', fields, 'warn')
  }
}
