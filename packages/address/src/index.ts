export type { Domain, LocalPart, Mailbox } from './mailbox.ts'
