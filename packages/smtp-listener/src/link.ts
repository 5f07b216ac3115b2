import type { Wire, WireReader } from '@posthorn/contracts'
import { Input } from './input.ts'
import type { Limits } from './limits.ts'

/** What comes in beyond this while an answer is awaited makes the client wait; octets. */
const MOST_HELD = 65_536
/** Replies gathered beyond this are sent though the group goes on; octets. */
const MOST_GATHERED = 16_384

/** Who is told of what happens on the link. */
export interface LinkOwner {
  /** There may be something to read, or room to write again. */
  wake(): void
  /** The wire is closed; called once. */
  gone(error: Error | undefined): void
}

/** A wire with what was read ahead and what was not yet written: the replies of a group leave in one write (RFC 2920 §3.2). */
export class Link implements WireReader {
  readonly wire: Wire
  readonly input: Input
  readonly #owner: LinkOwner
  readonly #trace: ((line: string) => void) | undefined
  #out = ''
  #paused = false
  /** The client sends no more. */
  ended = false
  /** The client does not read its replies; nothing more is done for it until it does. */
  congested = false
  closing = false

  constructor(wire: Wire, limits: Limits, owner: LinkOwner, trace: ((line: string) => void) | undefined) {
    this.wire = wire
    this.input = new Input(Math.max(limits.commandLine, limits.authLine), limits.endlessLine)
    this.#owner = owner
    this.#trace = trace
  }

  data(chunk: Uint8Array): void {
    if (this.closing) return
    this.input.add(chunk)
    this.#owner.wake()
    if (this.#paused || this.input.held <= MOST_HELD) return
    this.#paused = true
    this.wire.pause()
  }
  end(): void {
    this.ended = true
    this.#owner.wake()
  }
  closed(error?: Error): void {
    this.closing = true
    this.#owner.gone(error)
  }
  /** All that came has been read. */
  relax(): void {
    if (!this.#paused || this.closing) return
    this.#paused = false
    this.wire.resume()
  }

  /** Gather reply text. */
  say(text: string): void {
    this.#out += text
    if (this.#out.length > MOST_GATHERED) this.flush()
  }
  flush(): void {
    const text = this.#out
    if (text === '' || this.closing) return
    this.#out = ''
    if (this.#trace !== undefined) for (const line of text.split('\r\n').slice(0, -1)) this.#trace(`S: ${line}`)
    if (this.wire.write(text)) return
    this.congested = true
    void this.wire.drained().then(() => {
      this.congested = false
      this.#owner.wake()
    })
  }
  /** Send what was gathered, then end. */
  close(): void {
    this.flush()
    if (this.closing) return
    this.closing = true
    this.input.clear()
    this.wire.close()
  }
  /** End at once. */
  abort(): void {
    this.closing = true
    this.input.clear()
    this.wire.abort()
  }
}
