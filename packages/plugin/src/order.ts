import { checkName } from './hooks.ts'
import type { Plugin } from './hooks.ts'

/**
 * Plugins by `after`, otherwise in the order of registration. Names that are not there are ignored.
 * Throws Error on a bad name, on a name used twice and on a cycle, naming those concerned.
 */
export const inOrder = <T extends { readonly use: Plugin }>(entries: readonly T[]): readonly T[] => {
  const names = new Set<string>()
  for (const { use } of entries) {
    checkName(use)
    if (names.has(use.name)) throw new Error(`two plugins are called ${use.name}; names must be unique in a chain`)
    names.add(use.name)
  }
  const ordered: T[] = []
  const done = new Set<string>()
  let waiting = [...entries]
  while (waiting.length > 0) {
    const next = waiting.find(({ use }) => (use.after ?? []).every(name => done.has(name) || !names.has(name)))
    if (next === undefined) throw new Error(`plugins wait for each other: ${cycle(waiting)}`)
    ordered.push(next)
    done.add(next.use.name)
    waiting = waiting.filter(entry => entry !== next)
  }
  return ordered
}

/** One way round, such as `a after b after a`. Everyone in `waiting` waits for somebody else in it. */
const cycle = (waiting: readonly { readonly use: Plugin }[]): string => {
  const path: string[] = []
  let at = waiting[0]?.use
  while (at !== undefined && !path.includes(at.name)) {
    const { after = [], name } = at
    path.push(name)
    at = waiting.find(({ use }) => after.includes(use.name))?.use
  }
  const closed = at?.name ?? ''
  return [...path.slice(path.indexOf(closed)), closed].join(' after ')
}
