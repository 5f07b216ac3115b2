import type { Allowance } from './allowance.ts'
import { Health } from './health.ts'
import type { Site } from './site.ts'
import { Window } from './window.ts'

/** Attempts that share one bound on how many run at once in all: those over the network, and those to our own disk. */
export interface Pool {
  readonly limit: number
  running: number
  /** Sites that have something to start, each once, the one that waited longest first. */
  readonly ready: Set<Site>
}

/**
 * Everything that leads to one receiver: sites with the same mail exchangers, TLS policy and source share a window, which grows on
 * success and shrinks on failure, and the pauses of a receiver that does not answer. The `egress` hook may name a lane of its own.
 */
export class Lane {
  readonly name: string
  /** The window never grows beyond this. */
  readonly most: number
  readonly window: Window
  readonly health: Health = new Health()
  readonly sites: Set<Site> = new Set()
  /** Sites that wait for room in it. */
  readonly blocked: Set<Site> = new Set()
  running = 0
  /** The operator's or the `egress` hook's limits; none when undefined. */
  allowance: Allowance | undefined

  constructor(name: string, o: { readonly start: number; readonly most: number }) {
    this.name = name
    this.most = o.most
    this.window = new Window(o.start, o.most)
  }

  get hasRoom(): boolean {
    return this.running < this.window.size
  }
}
