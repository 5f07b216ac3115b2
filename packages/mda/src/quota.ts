import { addUsage, fitsQuota, readQuota, resetQuota, type Maildir, type Quota, type QuotaLimits } from 'maildir-parse'

/** How often a mailbox that is over its quota is counted again: a reader may have removed mail without telling (Maildir++ says 15 min). In ms. */
const COUNT_AGAIN = 15 * 60_000

const sameLimits = (a: QuotaLimits, b: QuotaLimits): boolean => a.bytes === b.bytes && a.messages === b.messages

/** What one mailbox may still take. Deliveries at the same time each see their own share. */
export class Allowance {
  readonly #limits: QuotaLimits
  #quota: Quota | undefined
  #counted = Number.NEGATIVE_INFINITY
  /** Octets and messages promised to deliveries that have not ended. */
  #bytes = 0
  #messages = 0

  constructor(limits: QuotaLimits) {
    this.#limits = limits
  }

  /** Whether a message of that size fits; if so it is set aside until `settle`. `now` is monotonic, in ms. */
  async take(maildir: Maildir, bytes: number, now: number): Promise<boolean> {
    this.#quota = await this.#read(maildir, now)
    if (!this.#fits(bytes) && now - this.#counted >= COUNT_AGAIN) this.#quota = await this.#count(maildir, now)
    if (!this.#fits(bytes)) return false
    this.#bytes += bytes
    this.#messages += 1
    return true
  }

  /** End what `take` began; tells `maildirsize` of a message that was delivered. */
  async settle(maildir: Maildir, taken: number, delivered: number | undefined): Promise<void> {
    this.#bytes -= taken
    this.#messages -= 1
    // The message is delivered whatever becomes of its line; a count comes round again.
    if (delivered !== undefined) await addUsage(maildir, { bytes: delivered, messages: 1 }).catch(() => {})
  }

  async #read(maildir: Maildir, now: number): Promise<Quota> {
    const quota = await readQuota(maildir)
    if (quota !== undefined && !quota.stale && sameLimits(quota.limits, this.#limits)) return quota
    return this.#count(maildir, now)
  }

  #count(maildir: Maildir, now: number): Promise<Quota> {
    this.#counted = now
    return resetQuota(maildir, this.#limits)
  }

  #fits(bytes: number): boolean {
    const quota = this.#quota
    if (quota === undefined) return false
    const used = { bytes: quota.used.bytes + this.#bytes, messages: quota.used.messages + this.#messages }
    return fitsQuota({ ...quota, used }, bytes)
  }
}
