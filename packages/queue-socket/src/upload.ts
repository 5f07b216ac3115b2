import type { Claim, Draft, NewMessage, Owner } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { window } from './protocol.ts'

/** What an upload tells the client. */
export interface UploadLink {
  /** So many octets have been taken. */
  readonly credit: (octets: number) => void
  /** Nothing more is taken. */
  readonly failed: (error: unknown) => void
}

/** A large draft that a client writes: its chunks are taken at the pace of the store. */
export class Upload {
  readonly #draft: Draft
  readonly #link: UploadLink
  #writing: Promise<void> = Promise.resolve()
  /** Octets that were sent and not taken yet. */
  #held = 0
  /** Octets that were taken and not told yet. */
  #owed = 0
  #failure: { readonly error: unknown } | undefined
  #body: Body | undefined

  constructor(draft: Draft, link: UploadLink) {
    this.#draft = draft
    this.#link = link
  }

  /** Throws when the client sends more than it was let. */
  write(chunk: Uint8Array): void {
    this.#held += chunk.byteLength
    if (this.#held > window) throw new Error('more of a draft than there was credit for')
    this.#writing = this.#writing.then(() => this.#take(chunk))
  }

  async #take(chunk: Uint8Array): Promise<void> {
    if (this.#failure === undefined) {
      try {
        await this.#draft.write(chunk)
      } catch (error) {
        this.#failure = { error }
        this.#link.failed(error)
      }
    }
    this.#held -= chunk.byteLength
    this.#owed += chunk.byteLength
    if (this.#owed < window / 4 && this.#held > 0) return
    this.#link.credit(this.#owed)
    this.#owed = 0
  }

  /** All is written. */
  async end(): Promise<Body> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
    return (this.#body ??= await this.#draft.end())
  }

  async commit(
    message: NewMessage,
    claimFor: { readonly owner: Owner; readonly leaseMs: number } | undefined,
  ): Promise<readonly Claim[]> {
    await this.end()
    return this.#draft.commit(message, claimFor)
  }

  async abort(): Promise<void> {
    this.#failure ??= { error: new Error('it was aborted') }
    await this.#writing
    await this.#draft.abort()
  }
}
