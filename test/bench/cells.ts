/** What is measured: a workload at a size, with so many sessions, connections kept or not. */
export interface Cell {
  readonly work: Work
  readonly kib: number
  readonly sessions: number
  /** Many messages a connection, or one. */
  readonly keep: boolean
  /** The ratio to Postfix that must be reached, for the cells that have one. */
  readonly target?: number
}
export type Work = 'accept' | 'maildir' | 'relay'

export const name = (c: Cell): string =>
  `${c.work} ${c.kib} KiB, ${c.sessions} session${c.sessions > 1 ? 's' : ''}, ${c.keep ? 'many a connection' : 'one a connection'}`

/** The cells that have a target; in a few minutes. */
export const plain: readonly Cell[] = [
  { work: 'accept', kib: 1, sessions: 20, keep: true, target: 4 },
  { work: 'maildir', kib: 1, sessions: 20, keep: true, target: 3 },
  { work: 'relay', kib: 1, sessions: 20, keep: true, target: 5 },
  { work: 'accept', kib: 1, sessions: 20, keep: false, target: 1.5 },
  { work: 'accept', kib: 1, sessions: 1, keep: true, target: 1.5 },
]

/** Every combination. */
export const full: readonly Cell[] = (['accept', 'maildir', 'relay'] as const).flatMap(work =>
  [1, 10].flatMap(kib =>
    [1, 20, 100].flatMap(sessions =>
      [true, false].map(
        (keep): Cell =>
          plain.find(c => c.work === work && c.kib === kib && c.sessions === sessions && c.keep === keep) ?? {
            work,
            kib,
            sessions,
            keep,
          },
      ),
    ),
  ),
)

/** How many messages warm a system up for a cell, and tell how fast it is. */
export const warmUp = (c: Cell): number => {
  const base = { accept: 6000, maildir: 3000, relay: 3000 }[c.work]
  const slower = (c.sessions === 1 ? 0.4 : 1) * (c.kib > 1 ? 0.7 : 1)
  return shared(c, base * slower)
}

/** How many messages make a run of about so many seconds at that rate. A faster system gets more, so that no run is a blink. */
export const messages = (c: Cell, perSecond: number, seconds: number): number =>
  shared(c, Math.min(perSecond * seconds, 60_000))

/** Every session has its share, and enough of it that connecting does not weigh. */
const shared = (c: Cell, count: number): number => Math.max(10, Math.round(count / c.sessions)) * c.sessions
