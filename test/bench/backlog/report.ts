/** One measured value, and what it should be. */
export const say = (name: string, value: string, limit = ''): void =>
  console.log(`${name.padEnd(64)} ${value} ${limit}`)

export const ms = (n: number): string => `${n.toFixed(n < 10 ? 1 : 0)} ms`

/** A rate beside that of an empty queue. */
export const compared = (perSecond: number, empty: number): readonly [value: string, limit: string] => [
  `${perSecond.toFixed(0)} /s`,
  `(${((100 * perSecond) / empty).toFixed(0)} % of an empty queue's ${empty.toFixed(0)}, > 80 %)`,
]

export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return performance.now() - began
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
