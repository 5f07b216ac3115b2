import type { QueueId } from '@posthorn/contracts'

/** Why a copy may be there twice, or a recipient be both delivered and reported: one of the windows that docs/flow.md publishes. */
export type Window =
  /** The machine died. */
  | 'crash'
  /** The connection was lost after the final dot. */
  | 'unknown'
  /** The store took back the lease of an attempt that had not ended. */
  | 'stale'
  /** The store did not say whether it had kept what it was told, or could not be told. */
  | 'store'

export interface Excuse {
  readonly at: number
  readonly host: string
  readonly window: Window
  readonly id?: string
}

/** A message that arrived somewhere: in a mailbox of ours, or at a server elsewhere. */
export interface Copy {
  readonly at: number
  /** The host name of the organisation, or of the server elsewhere. */
  readonly host: string
  /** A mailbox by name; at other servers the address. */
  readonly place: string
  /** The recipient that it came for. */
  readonly rcpt: string
  readonly sender: string
  readonly text: string
}

/** What a client was promised by a 250. */
interface Promise250 {
  readonly at: number
  readonly rcpt: string
  /** The queue id that the reply named. */
  readonly id: string
}

/** One message as a user wrote it. */
export interface Letter {
  readonly token: string
  readonly sender: string
  readonly recipients: readonly { readonly rcpt: string; readonly notify?: 'never' | 'failure' | 'all' }[]
  readonly text: string
  /** Where it was handed in. */
  readonly host: string
  readonly promises: Promise250[]
  /** Ids that may exist although nobody was told so: the reply did not come, or was no. */
  doubts: number
}

/** An end that the journal of an organisation told. */
export interface Ending {
  readonly at: number
  readonly host: string
  readonly event: string
  readonly id: string
  readonly rcpt: string
  readonly from: string
  readonly attempt: number
  readonly reported: boolean | undefined
  readonly site: string
}

/** All that was seen from outside during one run: what the law is held against. */
export class Ledger {
  readonly letters = new Map<string, Letter>()
  readonly copies: Copy[] = []
  readonly excuses: Excuse[] = []
  readonly endings: Ending[] = []
  /** Which letter a queue id is of, or which letter it is a report on. */
  readonly tokens = new Map<string, string>()
  /** When it came, virtual ms. */
  readonly came = new Map<string, number>()
  /** Reports by their id. */
  readonly reports = new Map<string, string>()
  /** What the stores were told has failed for good, from the instant in which that was stored. */
  readonly failed: { readonly id: string; readonly rcpt: string }[] = []
  /** Tries that reached the DNS or a mailbox: host, and domain or mailbox. */
  readonly tries = new Map<string, number[]>()
  /** What operators asked to be removed. */
  readonly dropped = new Set<string>()
  /** Letters that a policy removed, by their sender. */
  readonly discarded = new Set<string>()
  readonly stats = { crashes: 0, accepted: 0, doubled: 0 }

  excuse(excuse: Excuse): void {
    this.excuses.push(excuse)
  }
  tried(host: string, what: string, at: number): void {
    const key = `${host} ${what}`
    const known = this.tries.get(key)
    if (known === undefined) this.tries.set(key, [at])
    else known.push(at)
  }
  /** Learn from the text of a message whose queue id it has. */
  learn(id: QueueId, text: string, at: number): void {
    this.came.set(id, at)
    const token = tokenOf(text)
    if (token !== undefined) this.tokens.set(id, token)
    if (isReport(text)) this.reports.set(id, text)
  }
}

export const tokenOf = (text: string): string | undefined => /^X-Token: (\S+)\r$/m.exec(text)?.[1]
export const isReport = (text: string): boolean => /report-type="?delivery-status/i.test(text)
