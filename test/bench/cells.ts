/** What is measured: a workload at a size, with so many sessions, connections kept or not. */
export interface Cell {
  readonly work: Work
  readonly kib: number
  readonly sessions: number
  /** Many messages a connection, or one. */
  readonly keep: boolean
  /** The ratio to Postfix that must be reached, for the cells that have one. */
  readonly target?: number
  /** Messages of a run, where their number is part of the cell. */
  readonly count?: number
  /** MiB that the system may take at its highest beyond what it has when idle. */
  readonly mostMemory?: number
}
/** `large`: accept, of messages so large that they must not be held. `submission`: STARTTLS, then AUTH, then accept. */
export type Work = 'accept' | 'maildir' | 'relay' | 'large' | 'submission'

export const name = (c: Cell): string =>
  `${c.work} ${c.kib < 1024 ? `${c.kib} KiB` : `${c.kib / 1024} MiB`}, ${c.sessions} session${c.sessions > 1 ? 's' : ''}, ${c.keep ? 'many a connection' : 'one a connection'}`

/** The cells that have a target; in a few minutes. */
export const plain: readonly Cell[] = [
  { work: 'accept', kib: 1, sessions: 20, keep: true, target: 4 },
  { work: 'maildir', kib: 1, sessions: 20, keep: true, target: 3 },
  { work: 'relay', kib: 1, sessions: 20, keep: true, target: 5 },
  { work: 'accept', kib: 1, sessions: 20, keep: false, target: 1.5 },
  { work: 'accept', kib: 1, sessions: 1, keep: true, target: 1.5 },
  { work: 'large', kib: 10_240, sessions: 5, keep: true, target: 1, count: 20, mostMemory: 32 },
  { work: 'submission', kib: 1, sessions: 20, keep: false, target: 2 },
]

/** Every combination of the works of small messages, and the other cells. */
export const full: readonly Cell[] = (['accept', 'maildir', 'relay'] as const)
  .flatMap(work =>
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
  .concat(plain.filter(({ work }) => work === 'large' || work === 'submission'))

/** How many messages warm a system up for a cell, and tell how fast it is. */
export const warmUp = (c: Cell): number => {
  if (c.count !== undefined) return c.count
  const base = { accept: 6000, maildir: 3000, relay: 3000, large: 20, submission: 4000 }[c.work]
  const slower = (c.sessions === 1 ? 0.4 : 1) * (c.kib > 1 ? 0.7 : 1)
  return shared(c, base * slower)
}

/** How many messages make a run of about so many seconds at that rate. A faster system gets more, so that no run is a blink. */
export const messages = (c: Cell, perSecond: number, seconds: number): number =>
  c.count ?? shared(c, Math.min(perSecond * seconds, 60_000))

/** Every session has its share, and enough of it that connecting does not weigh. */
const shared = (c: Cell, count: number): number => Math.max(10, Math.round(count / c.sessions)) * c.sessions
