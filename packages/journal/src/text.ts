import type { Json, Level } from '@posthorn/contracts'

const COLOUR: Readonly<Record<Level, string>> = {
  debug: '\u001b[90m',
  info: '\u001b[36m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
}
const DIM = '\u001b[2m'
const BOLD = '\u001b[1m'
const PLAIN = '\u001b[0m'

/** Characters that move a terminal's cursor or the direction of its text, which JSON leaves as they are. */
// oxlint-disable-next-line no-control-regex -- finding control characters is the purpose
const UNSAFE = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g
const SIMPLE = /^[\w.:@/<>[\]+,*-]+$/

/** A value as one word: quoted when it is not plain, with nothing in it that a terminal would obey. */
const word = (value: Json): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (SIMPLE.test(text)) return text
  return (typeof value === 'string' ? JSON.stringify(text) : text).replace(
    UNSAFE,
    c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** One line for people: time, level, event, then `name=value`. `time` is ISO 8601. */
export const textLine = (
  time: string,
  level: Level,
  event: string,
  fields: Readonly<Record<string, Json>>,
  colour: boolean,
): string => {
  const clock = time.slice(11, 23)
  const name = level.toUpperCase().padEnd(5)
  let line = colour
    ? `${DIM}${clock}${PLAIN} ${COLOUR[level]}${name}${PLAIN} ${BOLD}${event}${PLAIN}`
    : `${time} ${name} ${event}`
  for (const key in fields)
    line += colour ? ` ${DIM}${key}=${PLAIN}${word(fields[key] ?? null)}` : ` ${key}=${word(fields[key] ?? null)}`
  return `${line}\n`
}
