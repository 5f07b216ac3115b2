import type { Level } from '@posthorn/contracts'
import type { Fields } from './fields.ts'

/** One line for programs: an object with level, time and event, then the fields. `time` is ISO 8601. */
export const jsonLine = (time: string, level: Level, event: string, fields: Fields): string => {
  const rest = JSON.stringify(fields)
  return `{"level":"${level}","time":"${time}","event":"${event}"${rest === '{}' ? '}' : `,${rest.slice(1)}`}\n`
}
