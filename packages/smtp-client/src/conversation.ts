import { ReplyReader } from '@posthorn/smtp'
import type { Clock, RemoteReply, TlsFacts, TlsNeed, Wire, WireReader } from '@posthorn/contracts'
import { noFeatures, type Features } from './features.ts'
import type { Peer } from './outcome.ts'

/** The conversation is over before its time. */
export interface Lost {
  readonly lost: 'closed' | 'timeout' | 'fault' | 'aborted'
  readonly cause: string
  readonly status: string
}
export type Heard = RemoteReply | Lost

export const isLost = (heard: Heard): heard is Lost => 'lost' in heard

/**
 * One connection to a peer, as a client: say something, hear a reply. Replies come in the order of the commands. Silence,
 * nonsense and a closed connection are values; after one of them the wire is gone.
 */
export class Conversation implements WireReader, Peer {
  readonly remote: string
  readonly tlsPolicy: string
  features: Features = noFeatures
  /** A transaction was begun and not ended: RSET before the next. */
  dirty = false
  /** Messages tried so far. */
  messages = 0
  /** Called when something happens while nobody waits; the conversation is then of no more use. */
  onUnasked: (() => void) | undefined
  readonly #wire: Wire
  readonly #clock: Clock
  readonly #replies = new ReplyReader()
  #lost: Lost | undefined
  #waiter: ((heard: Heard) => void) | undefined
  #cancel: (() => void) | undefined
  #listening = false

  constructor(wire: Wire, clock: Clock, o: { readonly remote: string; readonly tlsPolicy: string }) {
    this.#wire = wire
    this.#clock = clock
    this.remote = o.remote
    this.tlsPolicy = o.tlsPolicy
  }

  get tls(): TlsFacts | undefined {
    return this.#wire.tls
  }
  /** What SCRAM can be bound to: `tls-exporter` (RFC 9266 §2). */
  get binding(): Uint8Array | undefined {
    return this.#wire.channelBinding?.()
  }
  get lost(): Lost | undefined {
    return this.#lost
  }
  /** The peer has said nothing that was not asked for. */
  get quiet(): boolean {
    return !this.#replies.midReply
  }

  /** Start to listen; before it, TLS may be put on the wire. */
  listen(): void {
    if (this.#listening) return
    this.#listening = true
    this.#wire.read(this)
  }

  data(chunk: Uint8Array): void {
    this.#replies.push(chunk)
    if (this.#waiter !== undefined) {
      const heard = this.#next()
      if (heard !== undefined) this.#answer(heard)
    } else this.onUnasked?.()
  }
  end(): void {
    this.lose({ lost: 'closed', cause: 'the peer closed the connection', status: '4.4.2' })
  }
  closed(error?: Error): void {
    const why = error === undefined ? '' : `: ${error.message}`
    this.lose({ lost: 'closed', cause: `connection lost${why}`, status: '4.4.2' })
  }
  /** Give up on the peer: the wire is closed at once, whoever waits is told. */
  lose(lost: Lost): void {
    if (this.#lost !== undefined) return
    this.#lost = lost
    this.#wire.abort()
    if (this.#waiter !== undefined) this.#answer(lost)
    else this.onUnasked?.()
  }
  #answer(heard: Heard): void {
    const waiter = this.#waiter
    this.#waiter = undefined
    this.#cancel?.()
    this.#cancel = undefined
    waiter?.(heard)
  }
  #next(): Heard | undefined {
    const reply = this.#replies.next()
    if (reply === undefined || !('fault' in reply)) return reply
    this.#lost ??= { lost: 'fault', cause: `the peer does not speak SMTP: ${reply.fault}`, status: '4.5.0' }
    this.#wire.abort()
    return this.#lost
  }

  /** The next reply, at once if it is here. `ms` is for the whole reply, however slowly it drips. */
  hear(ms: number): Heard | Promise<Heard> {
    // What came before the end counts, so replies first.
    const heard = this.#next()
    if (heard !== undefined) return heard
    if (this.#lost !== undefined) return this.#lost
    return new Promise(resolve => {
      this.#waiter = resolve
      this.#cancel = this.#clock.after(ms, () => this.#tooLate(ms))
    })
  }
  #tooLate(ms: number): void {
    this.lose({ lost: 'timeout', cause: `no reply within ${Math.round(ms / 1000)} seconds`, status: '4.4.2' })
  }

  /** Latin1 text or bytes. False: call `drained` before much more. */
  say(bytes: Uint8Array | string): boolean {
    return this.#lost !== undefined || this.#wire.write(bytes)
  }
  /** Waits until the peer has taken what was said, or is lost. */
  async drained(ms: number): Promise<void> {
    const cancel = this.#clock.after(ms, () =>
      this.lose({
        lost: 'timeout',
        cause: `the peer takes nothing for ${Math.round(ms / 1000)} seconds`,
        status: '4.4.2',
      }),
    )
    await this.#wire.drained()
    cancel()
  }

  /** Put TLS on the wire; the reason when it did not work. */
  async secure(need: TlsNeed, ms: number, signal: AbortSignal): Promise<string | undefined> {
    const deadline = this.#clock.deadline(ms, signal)
    try {
      await this.#wire.secure(need, deadline.signal)
      return undefined
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.lose({ lost: signal.aborted ? 'aborted' : 'closed', cause: why, status: '4.7.5' })
      return why
    } finally {
      deadline.clear()
    }
  }

  /** Take leave. The reply to QUIT is not waited for: nothing depends on it. */
  quit(): void {
    if (this.#lost !== undefined) return
    this.#wire.write('QUIT\r\n')
    this.#lost = { lost: 'aborted', cause: 'we have quit', status: '4.4.2' }
    this.#wire.close()
  }
}
