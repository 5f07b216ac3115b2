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

/** How many messages make a run of two to four seconds of Postfix's, and end with every session having had its share. */
export const messages = (c: Cell): number => {
  const base = { accept: 4000, maildir: 2000, relay: 2000 }[c.work]
  const slower = (c.sessions === 1 ? 0.5 : 1) * (c.kib > 1 ? 0.7 : 1)
  return Math.max(c.sessions * 10, Math.round((base * slower) / c.sessions) * c.sessions)
}
