import { createJournal, type LogJournal, type LogStream } from '@posthorn/journal'
import type { Clock } from '@posthorn/contracts'
import type { Config } from './schema.ts'

/** Where log lines go, and how. */
export interface LogOptions {
  /** Nowhere when absent. */
  readonly logTo?: LogStream & { readonly isTTY?: boolean }
  /** Log lines as JSON, whatever the configuration says. */
  readonly json?: boolean
}

/** Lines for people where people read them, unless the configuration says otherwise. */
export const formatOf = (config: Config, o: LogOptions): 'json' | 'text' => {
  if (o.json === true) return 'json'
  if (config.log.format !== 'auto') return config.log.format
  return o.logTo?.isTTY === true ? 'text' : 'json'
}

/** The log that the configuration describes. */
export const openLog = (config: Config, o: LogOptions & { readonly logTo: LogStream }, clock: Clock): LogJournal =>
  createJournal({ stream: o.logTo, clock, level: config.log.level, format: formatOf(config, o) })
