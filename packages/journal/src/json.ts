import type { Json, Level } from '@posthorn/contracts'

/** One line for programs: an object with level, time and event, then the fields. `time` is ISO 8601. */
export const jsonLine = (time: string, level: Level, event: string, fields: Readonly<Record<string, Json>>): string => {
  const rest = JSON.stringify(fields)
  return `{"level":"${level}","time":"${time}","event":"${event}"${rest === '{}' ? '}' : `,${rest.slice(1)}`}\n`
}
