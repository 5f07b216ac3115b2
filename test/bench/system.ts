import type { Work } from './cells.ts'

/** A mail system under load: Posthorn's or Postfix's, with the same duties. */
export interface System {
  readonly name: string
  /** Where clients send to for this workload, and to whom. */
  target(work: Work): { readonly port: number; readonly to: string }
  /** The roots of the processes whose time and memory count. */
  pids(work: Work): readonly number[]
  /** Where delivered mail appears, for the `maildir` workload. */
  readonly maildir: string
  stop(): Promise<void>
}

/** What both systems are given for `submission`. */
export interface Login {
  readonly user: string
  readonly password: string
  /** PEM files of an RSA key of 2048 bits and its certificate. */
  readonly cert: string
  readonly key: string
}
