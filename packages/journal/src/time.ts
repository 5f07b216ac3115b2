const pad = (n: number): string => (n < 10 ? `00${n}` : n < 100 ? `0${n}` : String(n))

/** Prints wall times as ISO 8601 in UTC; the part down to the second is made once per second. */
export const isoPrinter = (): ((ms: number) => string) => {
  let second = -1
  let prefix = ''
  return ms => {
    const whole = Math.floor(ms / 1000)
    if (whole !== second) {
      second = whole
      prefix = new Date(whole * 1000).toISOString().slice(0, 20)
    }
    return `${prefix}${pad(Math.floor(ms - whole * 1000))}Z`
  }
}
