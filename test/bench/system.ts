import type { Work } from './cells.ts'

/** A mail system under load: Posthorn's or Postfix's, with the same duties. */
export interface System {
  readonly name: string
  /** Where `smtp-source` sends to for this workload, and to whom. */
  target(work: Work): { readonly port: number; readonly to: string }
  /** The root of the processes whose time and memory count. */
  pid(work: Work): number
  /** Where delivered mail appears, for the `maildir` workload. */
  readonly maildir: string
  stop(): Promise<void>
}
