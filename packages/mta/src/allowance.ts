import type { Site } from './site.ts'

/** Messages in a time, in ms. */
export interface Rate {
  readonly messages: number
  readonly ms: number
}

/** What an operator allows towards a receiver. */
export interface SiteLimit {
  /** Connections at once. */
  readonly connections?: number
  readonly rate?: Rate
  /** Of one transaction. */
  readonly recipients?: number
  /** After which a connection is ended. */
  readonly messagesPerConnection?: number
  /** Whether long messages go by BDAT where it is offered; true when absent. */
  readonly chunking?: boolean
}

const units = [
  [1000, 's'],
  [60_000, 'min'],
  [3_600_000, 'h'],
  [86_400_000, 'd'],
] as const

/** As it is written in a configuration, such as `100/min`. */
export const rateText = ({ messages, ms }: Rate): string =>
  `${messages}/${units.find(([unit]) => unit === ms)?.[1] ?? `${ms / 1000}s`}`

/** What is used of a limit by all that share it. */
export class Allowance {
  /** The limit's name, for people. */
  readonly name: string
  readonly limit: SiteLimit
  running = 0
  /** Monotonic ms before which the rate allows nothing. */
  nextAt = 0
  /** Sites that wait for a connection or for the rate, the one that waited longest first. */
  readonly waiting: Set<Site> = new Set()
  /** Wakes those that wait for the rate. */
  cancelTimer: (() => void) | undefined

  constructor(name: string, limit: SiteLimit) {
    this.name = name
    this.limit = limit
  }

  /** Attempts that may begin now, as far as connections go. When none is under way nobody else would wake those that wait: then all may ask. */
  get room(): number {
    return this.running === 0 ? Infinity : (this.limit.connections ?? Infinity) - this.running
  }
  get hasRoom(): boolean {
    return this.room > 0
  }
  /** How long one message takes of the rate, in ms; 0 without a rate. */
  get interval(): number {
    const { rate } = this.limit
    return rate === undefined ? 0 : rate.ms / rate.messages
  }
  /** Count messages against the rate. Idle time is not saved up: no bursts. */
  spend(messages: number, now: number): void {
    if (this.limit.rate !== undefined) this.nextAt = Math.max(this.nextAt, now) + messages * this.interval
  }
  /** Why a message waits for a connection. */
  get whyNoRoom(): string {
    return `waits for one of the ${this.limit.connections} connections allowed to ${this.name}`
  }
  /** Why a message waits for the rate. */
  get why(): string {
    const { rate } = this.limit
    return `waits for the rate limit of ${this.name}${rate === undefined ? '' : ` (${rateText(rate)})`}`
  }
}
