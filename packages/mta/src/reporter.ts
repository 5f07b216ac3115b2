import type { Clock, Fate, Journal, Random, Settlement } from '@posthorn/contracts'
import { buildReport, originalOf } from '@posthorn/dsn'
import type { Action, ReportedRecipient } from '@posthorn/dsn'
import type { Announcer } from './announcer.ts'
import type { Judgement } from './judge.ts'
import type { PrepareReport } from './options.ts'
import { deliverByOf } from './deliver-by.ts'
import { isFromList, readerOf, reportsTo } from './owed.ts'
import type { Parcel } from './parcel.ts'
import type { ReportLimit } from './report-limit.ts'
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
  readonly successes: ReportLimit
  readonly close: (parcel: Parcel) => void
}
/** A judgement and the parcel that its claim belongs to. */
export interface Judged {
  readonly parcel: Parcel
  readonly judgement: Judgement
}

/** Octets of the header block in a report that nobody has to act on: small, since a stranger may have asked for it in another's name. */
const headersOfGoodNews = 16 * 1024

/** The same, of which nobody hears. */
const untold = ({ parcel, judgement }: Judged): Judged => ({ parcel, judgement: { ...judgement, report: undefined } })

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
    const told: Extras = action === 'delayed' ? { warned: true } : {}
    if (this.#isTooMuch(action, group)) return this.#settleAll(group.map(untold), told)
    for (let rest = group; rest.length > 0; rest = rest.slice(1)) {
      const report = await this.#write(action, rest)
      if (report === 'nobody') return this.#settleAll(rest.map(untold), told)
      if (report === 'not now') return this.#withoutReport(action, rest)
      const [first, ...others] = rest
      if (first === undefined || (await this.#settle(first, { ...told, report })) === 'stale') continue
      this.#tellReport(report, first.judgement)
      await this.#settleAll(others, told)
      if (action === 'delayed') this.#tellDelayed(rest)
      return
    }
  }

  /** Whether the reader has had so much good news of late that we keep the rest to ourselves. */
  #isTooMuch(action: Action, group: readonly Judged[]): boolean {
    const { clock, successes, life, journal } = this.#o
    const claim = group[0]?.judgement.claim
    const reader = claim === undefined ? null : readerOf(action, claim, life)
    if (claim === undefined || reader === null || action === 'failed' || action === 'delayed') return false
    if (successes.take(reader, clock.wall())) return false
    const why = 'it has had too many reports of success'
    journal.event('report.withheld', { id: claim.id, to: reader.wire, action, why }, 'warn')
    return true
  }

  async #write(
    action: Action,
    group: readonly Judged[],
  ): Promise<NonNullable<Settlement['report']> | 'nobody' | 'not now'> {
    const { clock, random, journal, hostname, prepareReport, life } = this.#o
    const claim = group[0]?.judgement.claim
    const to = claim === undefined ? null : readerOf(action, claim, life)
    if (claim === undefined || to === null) return 'nobody'
    const { envelope, body, arrived } = claim
    const { envid, ret } = isFromList(claim) ? {} : envelope
    const by = deliverByOf(claim)
    try {
      const built = buildReport({
        to,
        hostname,
        ...(envid === undefined ? undefined : { envid }),
        arrived,
        ...(by === undefined ? undefined : { deliverBy: by.at }),
        now: clock.wall(),
        smtputf8: envelope.smtputf8,
        // RET is about failures only; whoever hears of anything else still has the message (RFC 3461 §4.3).
        original: await originalOf(body, action === 'failed' ? { ret } : { ret: 'hdrs', headers: headersOfGoodNews }),
        recipients: group.map(({ judgement }) => this.#reported(action, judgement)),
        random,
      })
      const isDouble = reportsTo(claim) === null
      return (await prepareReport({ ...built, about: claim.id, to, isDouble })) ?? 'nobody'
    } catch (error) {
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
      journal.event('error', { where: 'report', id: claim.id, cause }, 'error')
      return 'not now'
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
      ...(action === 'relayed' && outcome.dsnTakenOver === true ? { onward: true } : undefined),
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
    // What was not tried comes back at once: it counts as told, or it would come back for ever.
    const untried = action === 'delayed' && group[0]?.judgement.attempt === undefined
    await this.#settleAll(group, action === 'failed' ? { fate } : untried ? { warned: true } : {})
  }

  async #settleAll(group: readonly Judged[], extras: Extras): Promise<void> {
    await Promise.all(group.map(judged => this.#settle(judged, extras)))
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
