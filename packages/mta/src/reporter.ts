import type { Clock, Fate, Journal, Random, Settlement } from '@posthorn/contracts'
import { buildReport, originalOf } from '@posthorn/dsn'
import type { Action, ReportedRecipient } from '@posthorn/dsn'
import type { Announcer } from './announcer.ts'
import type { Judgement } from './judge.ts'
import type { PrepareReport } from './options.ts'
import { reportsTo } from './owed.ts'
import type { Parcel } from './parcel.ts'
import { expiryOf } from './policy.ts'
import type { Lifetime } from './policy.ts'
import { settlementOf } from './settlement.ts'
import type { Extras } from './settlement.ts'
import type { Settled, Settler } from './settler.ts'

export interface ReporterOptions {
  readonly settler: Pick<Settler, 'add'>
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly life: Lifetime
  readonly hostname: string
  readonly prepareReport: PrepareReport
  readonly announcer: Announcer
  readonly close: (parcel: Parcel) => void
}
/** A judgement and the parcel that its claim belongs to. */
export interface Judged {
  readonly parcel: Parcel
  readonly judgement: Judgement
}

/** Tells senders what became of their mail, in the same step that settles it. */
export class Reporter {
  readonly #o: ReporterOptions

  constructor(o: ReporterOptions) {
    this.#o = o
  }

  /**
   * One report for recipients of one message that share their return path and their end. It is enqueued by the settlement of
   * the first. The others are settled after that: if the first turns out not to be ours any more, the report goes with the next,
   * and a crash in between tells of somebody twice rather than never. Never rejects.
   */
  async report(action: Action, group: readonly Judged[]): Promise<void> {
    for (let rest = group; rest.length > 0; rest = rest.slice(1)) {
      const report = await this.#write(action, rest)
      if (report === undefined) return this.#withoutReport(action, rest)
      const [first, ...others] = rest
      const told: Extras = action === 'delayed' ? { warned: true } : {}
      if (first === undefined || (await this.#settle(first, { ...told, report })) === 'stale') continue
      this.#tellReport(report, first.judgement)
      await Promise.all(others.map(judged => this.#settle(judged, told)))
      if (action === 'delayed') this.#tellDelayed(rest)
      return
    }
  }

  async #write(action: Action, group: readonly Judged[]): Promise<Settlement['report']> {
    const { clock, random, journal, hostname, prepareReport } = this.#o
    const claim = group[0]?.judgement.claim
    const to = claim === undefined ? null : reportsTo(claim)
    if (claim === undefined || to === null) return undefined
    const { envelope, body, arrived } = claim
    try {
      const built = buildReport({
        to,
        hostname,
        ...(envelope.envid === undefined ? undefined : { envid: envelope.envid }),
        arrived,
        now: clock.wall(),
        smtputf8: envelope.smtputf8,
        // RET is about failures only; whoever hears of anything else still has the message (RFC 3461 §4.3).
        original: await originalOf(body, { ret: action === 'failed' ? envelope.ret : 'hdrs' }),
        recipients: group.map(({ judgement }) => this.#reported(action, judgement)),
        random,
      })
      return await prepareReport({ ...built, about: claim.id, to })
    } catch (error) {
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
      journal.event('error', { where: 'report', id: claim.id, cause }, 'error')
      return undefined
    }
  }

  #reported(action: Action, { claim, outcome, status, attempt }: Judgement): ReportedRecipient {
    const { to, orcpt } = claim.to
    return {
      to,
      ...(orcpt === undefined ? undefined : { orcpt }),
      action,
      status,
      cause: outcome.cause,
      ...(outcome.reply === undefined ? undefined : { reply: outcome.reply }),
      ...(outcome.remote === undefined ? undefined : { remote: outcome.remote }),
      ...(attempt === undefined ? undefined : { lastAttempt: attempt.at }),
      ...(action === 'delayed' ? { willRetryUntil: expiryOf(claim, this.#o.life) } : undefined),
    }
  }

  /**
   * The report cannot be made now. A failure without it would be mail that vanished, so the delivery stays and its end is found
   * again later. Good news and warnings go without: the delivery must not be repeated for their sake.
   */
  async #withoutReport(action: Action, group: readonly Judged[]): Promise<void> {
    const due = this.#o.clock.wall() + this.#o.life.retry.firstMs
    const fate: Fate = { to: 'retry', due, why: 'the report of its failure could not be made' }
    await Promise.all(group.map(judged => this.#settle(judged, action === 'failed' ? { fate } : {})))
  }

  #settle({ parcel, judgement }: Judged, extras: Extras): Promise<Settled> {
    return new Promise(resolve => {
      this.#o.settler.add(settlementOf(judgement, extras), result => {
        this.#o.close(parcel)
        this.#o.announcer.tell(judgement, result, extras.fate)
        resolve(result)
      })
    })
  }

  /** A report is a message like any other, which came into the queue with what it reports. */
  #tellReport({ id, message, body }: NonNullable<Settlement['report']>, { claim }: Judgement): void {
    this.#o.journal.event('message.received', {
      id,
      origin: message.envelope.origin,
      sender: message.envelope.returnPath?.wire ?? '',
      recipients: message.recipients.length,
      size: (message.head?.byteLength ?? 0) + body.byteLength,
      about: claim.id,
      held: message.held,
    })
  }

  #tellDelayed(group: readonly Judged[]): void {
    for (const { judgement } of group) {
      const { claim } = judgement
      const fields = { id: claim.id, rcpt: claim.to.to.wire, from: reportsTo(claim)?.wire, site: claim.site }
      this.#o.journal.event('delivery.delayed', { ...fields, until: expiryOf(claim, this.#o.life) }, 'info')
    }
  }
}
