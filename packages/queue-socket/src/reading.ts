import { storeError } from '@posthorn/queue-base'
import { window } from './protocol.ts'

/** What a reading says to the owner of the queue. */
export interface ReadingLink {
  readonly credit: (octets: number) => void
  readonly cancel: () => void
}

/** Content that comes in chunks, no faster than it is read. */
export class Reading {
  readonly #link: ReadingLink
  #chunks: Uint8Array[] = []
  #end: 'good' | Error | undefined
  #wake: (() => void) | undefined
  /** Octets that were read and not told yet. */
  #owed = 0

  constructor(link: ReadingLink) {
    this.#link = link
  }

  chunk(octets: Uint8Array): void {
    this.#chunks.push(octets)
    this.#wake?.()
  }
  end(error?: Error): void {
    this.#end ??= error ?? 'good'
    this.#wake?.()
  }

  /** To be read once. Rejects with the owner's error, with StoreError when the connection is lost, with the signal's reason. */
  async *read(signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const wake = (): void => this.#wake?.()
    signal?.addEventListener('abort', wake)
    try {
      for (;;) {
        signal?.throwIfAborted()
        const chunks = this.#chunks
        this.#chunks = []
        for (const chunk of chunks) {
          yield chunk
          this.#taken(chunk.byteLength)
        }
        if (chunks.length > 0) continue
        if (this.#end === 'good') return
        if (this.#end !== undefined) throw this.#end
        await new Promise<void>(resolve => (this.#wake = resolve))
        this.#wake = undefined
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      if (this.#end === undefined) this.#link.cancel()
      this.#end ??= storeError('it was not read to its end', { full: false })
    }
  }

  #taken(octets: number): void {
    this.#owed += octets
    if (this.#owed < window / 4) return
    this.#link.credit(this.#owed)
    this.#owed = 0
  }
}
