import { readFileSync, readdirSync } from 'node:fs'

const ticksPerSecond = 100 // USER_HZ, fixed in the kernel's interface

const stat = (pid: number): { readonly parent: number; readonly cpu: number } | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name may hold anything but ends at the last parenthesis.
    const f = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {
      parent: Number(f[1]),
      cpu: (Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14])) / ticksPerSecond,
    }
  } catch {
    return undefined
  }
}

const pss = (pid: number): number => {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

const status = (pid: number, field: 'VmRSS' | 'VmHWM'): number => {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
}
/** What one process holds in memory now, in MiB. */
export const residentOf = (pid: number): number => status(pid, 'VmRSS')
/** The most that it has held so far. */
export const peakOf = (pid: number): number => status(pid, 'VmHWM')

/** The process and its living descendants. */
const family = (root: number): readonly number[] => {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? stat(pid)?.parent : undefined
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const all: number[] = []
  for (const queue = [root]; queue.length > 0;) {
    const pid = queue.pop() as number
    all.push(pid)
    queue.push(...(children.get(pid) ?? []))
  }
  return all
}

/** User and system time in seconds that a process and all its descendants, ended ones too, have used. */
export const cpuOf = (root: number): number => family(root).reduce((sum, pid) => sum + (stat(pid)?.cpu ?? 0), 0)
/** Their proportional set size in MiB, summed over the living. */
export const memoryOf = (root: number): number => family(root).reduce((sum, pid) => sum + pss(pid), 0)
