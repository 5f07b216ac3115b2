import type { Random } from '@posthorn/contracts'
import type { DataChange, File, Survival } from './disk.ts'

const sector = 512

export const nothing: Survival = { data: () => 'none', entry: () => false }
export const everything: Survival = { data: () => 'all', entry: () => true }

/** The sectors of a write that chance keeps. Sectors are those of the file, so that a write may begin and end within one. */
const torn = (change: DataChange, keep: () => boolean): readonly (readonly [number, number])[] => {
  const parts: [number, number][] = []
  const end = change.at + change.bytes.byteLength
  for (let from = change.at; from < end;) {
    const to = Math.min(end, from - (from % sector) + sector)
    if (keep()) parts.push([from - change.at, to - change.at])
    from = to
  }
  return parts
}

/** Every sector by itself. */
const sectors = (random: Random): Survival => {
  const share = [0.1, 0.5, 0.9][random.int(3)] ?? 0.5
  const keep = (): boolean => random.next() < share
  return { data: change => (change.kind === 'size' ? (keep() ? 'all' : 'none') : torn(change, keep)), entry: keep }
}

/** What was done up to some moment, the last of it torn; with `later`, what was done after it. */
const ordered = (random: Random, changes: number, later: boolean): Survival => {
  // Little waits at a time, so the moment lies among the latest.
  const cut = changes - random.int(40)
  const kept = (id: number): boolean => (later ? id > cut : id < cut)
  return {
    data: change => (change.id === cut ? torn(change, () => random.next() < 0.5) : kept(change.id) ? 'all' : 'none'),
    entry: change => kept(change.id),
  }
}

/** Every file whole or as it was; names as chance has it. */
const byFile = (random: Random): Survival => {
  const files = new Map<File, boolean>()
  return {
    data: (_, file) => {
      const known = files.get(file) ?? random.next() < 0.5
      files.set(file, known)
      return known ? 'all' : 'none'
    },
    entry: () => random.next() < 0.7,
  }
}

/** All names, and files of their full length, with holes where the content did not come. */
const holes = (random: Random): Survival => ({
  data: change =>
    change.kind === 'size'
      ? 'all'
      : [...torn(change, () => random.next() < 0.5), [change.bytes.byteLength, change.bytes.byteLength] as const],
  entry: () => true,
})

/** One of many ways in which a power cut may leave what was not synced. */
export const survivalOf = (random: Random, changes: number): Survival => {
  switch (random.int(6)) {
    case 0:
    case 1:
      return sectors(random)
    case 2:
      return ordered(random, changes, false)
    case 3:
      return ordered(random, changes, true)
    case 4:
      return byFile(random)
    default:
      return holes(random)
  }
}
