/** Of the second that was asked for last: a busy server asks for the same one thousands of times. */
let last = { second: NaN, text: '' }

/** A date and time as header fields have it, always in UTC (RFC 5322 §3.3). Throws RangeError outside the years 0 to 9999. */
export const dateTime = (wallMs: number): string => {
  const second = Math.floor(wallMs / 1000)
  if (second === last.second) return last.text
  const text = new Date(wallMs).toUTCString()
  if (!/^\w{3}, \d\d \w{3} \d{4} /.test(text)) throw new RangeError(`no date: ${wallMs}`)
  last = { second, text: text.replace('GMT', '+0000') }
  return last.text
}
