import type { Mailbox } from '@posthorn/address'

const HOUR = 3_600_000
/** Readers remembered; whoever had theirs longest ago is forgotten. */
const MOST_READERS = 10_000

/** Whoever forges senders could write the same mailbox in other letters or with a detail. */
const keyOf = ({ local, domain }: Mailbox): string => `${local.toLowerCase().split('+', 1)[0]}@${domain}`

interface Told {
  /** Wall time in ms. */
  readonly since: number
  count: number
}

/**
 * How many reports of success one address gets in an hour. A sender is easily forged, and asking costs nothing: without a bound anybody
 * could have us fill a stranger's mailbox. Failures are not bounded: a failure without a report would be mail that vanished.
 */
export class ReportLimit {
  readonly #perHour: number
  readonly #told = new Map<string, Told>()

  constructor(perHour: number) {
    this.#perHour = perHour
  }

  /** Whether this reader may have another now (wall time in ms); if so, it is counted. */
  take(reader: Mailbox, now: number): boolean {
    const key = keyOf(reader)
    let told = this.#told.get(key)
    if (told === undefined || now - told.since >= HOUR || now < told.since) {
      this.#told.delete(key)
      told = { since: now, count: 0 }
      this.#told.set(key, told)
      if (this.#told.size > MOST_READERS) this.#forgetOldest()
    }
    if (told.count >= this.#perHour) return false
    told.count++
    return true
  }

  #forgetOldest(): void {
    for (const key of this.#told.keys()) {
      this.#told.delete(key)
      return
    }
  }
}
