const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** Milliseconds of `90s`, `5m`, `4h`, `5d`, or of a number of milliseconds; undefined when it is neither. */
export const duration = (text: string | number): number | undefined => {
  if (typeof text === 'number') return Number.isSafeInteger(text) && text >= 0 ? text : undefined
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  return digits === undefined || unit === undefined ? undefined : Number(digits) * (timeUnits[unit] ?? 1)
}

/** Octets of `512K`, `50M`, `2G`, or of a plain number; undefined when it is neither. */
export const size = (text: string | number): number | undefined => {
  if (typeof text === 'number') return Number.isSafeInteger(text) && text >= 0 ? text : undefined
  const [, digits, unit] = /^(\d{1,9})([KMG]?)$/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * (sizeUnits[unit ?? ''] ?? 1)
}

const rateUnits: Readonly<Record<string, number>> = {
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
}

/** Messages in a time in ms, of `100/min`, `5/s`, `2000/h` or `10000/day`; undefined when it is none of these. */
export const rate = (text: string): { readonly messages: number; readonly ms: number } | undefined => {
  const [, count, unit] = /^([1-9]\d{0,8})\/([a-z]{1,4})$/.exec(text) ?? []
  const ms = unit === undefined ? undefined : rateUnits[unit]
  return ms === undefined ? undefined : { messages: Number(count), ms }
}
