/** A date and time as header fields have it, always in UTC (RFC 5322 §3.3). Throws RangeError outside the years 0 to 9999. */
export const dateTime = (wallMs: number): string => {
  const text = new Date(wallMs).toUTCString()
  if (!/^\w{3}, \d\d \w{3} \d{4} /.test(text)) throw new RangeError(`no date: ${wallMs}`)
  return text.replace('GMT', '+0000')
}
