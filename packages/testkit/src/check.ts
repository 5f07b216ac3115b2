/** Plain assertions for suites that must not depend on a test runner. */

const show = (value: unknown): string => {
  const text = JSON.stringify(value, (_key, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)) as string | undefined
  return (text ?? String(value)).slice(0, 500)
}

const isRecord = (x: unknown): x is { readonly [k: string]: unknown } => typeof x === 'object' && x !== null

/** Structural equality of plain data; a member that is undefined equals an absent one. */
const equal = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (!isRecord(a) || !isRecord(b) || Array.isArray(a) !== Array.isArray(b)) return false
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(k => equal(a[k], b[k]))
}

/** Throws an Error that shows both when they differ. */
export const same = (actual: unknown, expected: unknown, what = 'the value'): void => {
  if (!equal(actual, expected)) throw new Error(`${what} is ${show(actual)} instead of ${show(expected)}`)
}

/** Throws an Error with that sentence when it does not hold. */
export const holds = (condition: boolean, sentence: string): void => {
  if (!condition) throw new Error(`it does not hold that ${sentence}`)
}

/** The error that a call rejects with or throws; throws when it does neither. */
export const failureOf = async (call: () => unknown): Promise<Error> => {
  try {
    await call()
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error(`it failed with ${show(error)}, which is no Error`, { cause: error })
  }
  throw new Error('it succeeded')
}
