import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { mailOf, type Goal, type Log, type Sent } from './load.ts'

/** What became of everything that was sent. */
export interface Account {
  /** Recipients of messages that were answered 250, and those of messages that were not answered for sure before a kill. */
  readonly accepted: number
  readonly unanswered: number
  readonly delivered: number
  readonly relayed: number
  readonly bounced: number
  /** Copies beside the first. */
  readonly duplicates: number
  /** What should not be, in words. */
  readonly faults: readonly string[]
}

interface Copy {
  readonly at: number
  readonly whole: boolean
}

const filesOf = (maildir: string): readonly string[] => {
  const directory = join(maildir, 'new')
  try {
    return readdirSync(directory).map(name => join(directory, name))
  } catch {
    return [] // nothing has been delivered yet
  }
}

/** A report of a failure quotes the header of the message that it is about. */
const isReport = (text: string): boolean => /^Content-Type: multipart\/report/im.test(text)

/** Copies by name, those of one Maildir; all are taken away. */
const collect = (maildir: string, goal: 'here' | 'there', copies: Map<string, Copy[]>): void => {
  for (const path of filesOf(maildir)) {
    const text = readFileSync(path, 'latin1')
    const name = /^X-Name: (\S+)\r?$/m.exec(text)?.[1] ?? `torn: ${text.slice(0, 200)}`
    const report = isReport(text)
    const key = `${name} ${report ? 'bounce' : goal}`
    // What the name cannot tell the size of is torn as well.
    const whole = report || (/-\d+$/.test(name) && text.trimEnd().endsWith(mailOf(name)))
    const known = copies.get(key) ?? []
    known.push({ at: statSync(path).mtimeMs, whole })
    copies.set(key, known)
    rmSync(path)
  }
}

/**
 * A second copy needs a kill: between the two, where a Maildir of the killed server has them; since it was sent, where the next hop
 * may have delivered both long after.
 */
const unexplained = (
  copies: readonly Copy[],
  kills: readonly number[],
  sent: { readonly at: number; readonly goal: Goal },
): boolean => {
  if (sent.goal === 'there') return copies.length - 1 > kills.filter(kill => kill >= sent.at).length
  const times = copies.map(copy => copy.at).toSorted((a, b) => a - b)
  return times.some((at, i) => {
    const before = times[i - 1]
    // The kernel's clock for files is a tick behind.
    return before !== undefined && !kills.some(kill => kill >= before - 20 && kill <= at)
  })
}

/** A worker whose owner was killed within a commit can't know what became of it, and says 451 if it still can. */
const isDoubtful = ({ reply, at }: Sent, kills: readonly number[]): boolean =>
  reply === undefined || (reply.startsWith('451 ') && kills.some(kill => kill >= at - 1_000 && kill <= at + 10_000))

/** Hold what two Maildirs have against what clients were told; empties the Maildirs and the log. Queues must be empty. */
export const settleAccount = (
  log: Log,
  where: { readonly here: string; readonly there: string; readonly kills: readonly number[] },
): Account => {
  const copies = new Map<string, Copy[]>()
  collect(where.here, 'here', copies)
  collect(where.there, 'there', copies)
  const faults: string[] = []
  const count = { accepted: 0, unanswered: 0, here: 0, there: 0, bounce: 0, duplicates: 0 }
  const look = (sent: Sent, goal: Goal): void => {
    const { name, reply, at } = sent
    const key = `${name} ${goal}`
    const found = copies.get(key) ?? []
    copies.delete(key)
    const accepted = reply?.startsWith('250 ') === true
    if (accepted) count.accepted++
    else if (isDoubtful(sent, where.kills)) count.unanswered++
    else if (found.length > 0) faults.push(`${key} was answered ${reply}, and came`)
    if (accepted && found.length === 0) faults.push(`LOST: ${key}`)
    if (found.some(copy => !copy.whole)) faults.push(`TORN: ${key}`)
    if (unexplained(found, where.kills, { at, goal })) faults.push(`DOUBLED without a kill between: ${key}`)
    if (found.length > 0) count[goal]++
    count.duplicates += Math.max(0, found.length - 1)
  }
  for (const sent of log.values()) for (const goal of sent.goals) look(sent, goal)
  for (const key of copies.keys()) faults.push(`UNKNOWN: ${key}`)
  log.clear()
  const { here: delivered, there: relayed, bounce: bounced, ...rest } = count
  return { ...rest, delivered, relayed, bounced, faults }
}
