export { createJournal } from './journal.ts'
export type { JournalOptions, LogJournal } from './journal.ts'
export type { LogStream } from './line-sink.ts'
