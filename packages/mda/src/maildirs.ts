import { createMaildir, type Maildir, type MaildirOptions, type QuotaLimits } from 'maildir-parse'
import { Allowance } from './quota.ts'

/** A Maildir that mail goes to. */
export interface OpenMaildir {
  readonly maildir: Maildir
  readonly allowance: Allowance | undefined
}

/** Remember that many; a Maildir holds no descriptor, so forgetting one costs a look at its directories. */
const REMEMBERED = 4096

/** The Maildirs in use, made on demand. Concurrent deliveries to one share its directory syncs. */
export class Maildirs {
  readonly #options: MaildirOptions
  readonly #limits: (mailbox: string) => QuotaLimits | undefined
  readonly #open = new Map<string, Promise<OpenMaildir>>()

  constructor(options: MaildirOptions, limits: (mailbox: string) => QuotaLimits | undefined) {
    this.#options = options
    this.#limits = limits
  }

  /** Rejects with MaildirError when it can be neither opened nor made. */
  open(path: string, mailbox: string): Promise<OpenMaildir> {
    const known = this.#open.get(path)
    if (known !== undefined) return known
    const opening = this.#make(path, mailbox)
    if (this.#open.size >= REMEMBERED) this.forget(this.#open.keys().next().value ?? '')
    this.#open.set(path, opening)
    opening.catch(() => this.forget(path))
    return opening
  }

  /** Look at the directories again next time: they were moved away, or are not as they should be. */
  forget(path: string): void {
    this.#open.delete(path)
  }

  async #make(path: string, mailbox: string): Promise<OpenMaildir> {
    const limits = this.#limits(mailbox)
    return {
      maildir: await createMaildir(path, this.#options),
      allowance: limits === undefined ? undefined : new Allowance(limits),
    }
  }
}
