import type { Body } from '@posthorn/message'
import { Credit } from './credit.ts'
import { chunkSize, window } from './protocol.ts'

/** Content that a client reads, sent at the pace at which it does. */
export class Download {
  readonly #credit = new Credit(window)
  readonly #ending = new AbortController()

  credit(octets: number): void {
    this.#credit.add(octets)
  }

  /** The client wants no more, or is gone. */
  cancel(): void {
    this.#ending.abort(new Error('nobody reads it any more'))
    this.#credit.end(this.#ending.signal.reason as Error)
  }

  /** Resolves when all of it is sent. Rejects as the body does, or when it was cancelled. */
  async run(body: Body, send: (chunk: Uint8Array) => void): Promise<void> {
    const { signal } = this.#ending
    for await (const chunk of body.open(signal)) {
      for (let at = 0; at < chunk.byteLength; at += chunkSize) {
        const piece = chunk.subarray(at, at + chunkSize)
        await this.#credit.atLeast(piece.byteLength)
        this.#credit.spend(piece.byteLength)
        send(piece)
      }
    }
    signal.throwIfAborted()
  }
}
