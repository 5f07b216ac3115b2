/** What a workload had promised, by name and recipient, such as `m1-300 r0`. */
export interface Promised {
  /** Taken in. */
  readonly accepted: Set<string>
  /** In the Maildir. */
  readonly delivered: Set<string>
  /** No longer in the queue. */
  readonly left: Set<string>
  /** In the place of a delivery that failed. */
  readonly reports: Map<string, string>
}

export const noPromises = (): Promised => ({
  accepted: new Set(),
  delivered: new Set(),
  left: new Set(),
  reports: new Map(),
})

/** Take a line of the workload's output. */
export const promise = (promised: Promised, line: string): void => {
  const [what, name = '', detail = '', end, report] = line.split(' ')
  if (what === 'accepted') for (let i = 0; i < Number(detail); i++) promised.accepted.add(`${name} r${i}`)
  else if (what === 'delivered') promised.delivered.add(`${name} ${detail}`)
  else if (what === 'settled' && end !== 'retry') {
    promised.left.add(`${name} ${detail}`)
    if (report === undefined) return
    promised.reports.set(`${name} ${detail}`, `${report} r0`)
    promised.accepted.add(`${report} r0`)
  }
}
