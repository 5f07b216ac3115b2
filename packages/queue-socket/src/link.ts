import type { Socket } from 'node:net'
import { encodeFrame, FrameReader } from './frame.ts'
import type { Frame, Kind } from './frame.ts'

/** Octets that may wait for the other side to read before nothing more is read from it. */
const mostWaiting = 4 * 1024 * 1024

export interface LinkListener {
  readonly frame: (frame: Frame) => void
  /** Once; with what was wrong, when it was the other side's octets. */
  readonly closed: (fault: Error | undefined) => void
}

/** Frames both ways over a socket. Frames that are sent in one turn of the event loop leave in one write. */
export class Link {
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  readonly #to: LinkListener
  #corked = false
  #busy = false
  #choked = false
  #fault: Error | undefined

  constructor(socket: Socket, to: LinkListener) {
    this.#socket = socket
    this.#to = to
    socket.on('data', chunk => this.#read(chunk))
    socket.on('drain', () => this.#pace())
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.destroy())
    socket.once('close', () => to.closed(this.#fault))
  }

  /** Nothing happens when it is closed. Throws RangeError when the frame would be too long. */
  send(kind: Kind, id: number, about?: unknown, octets?: readonly Uint8Array[]): void {
    const parts = encodeFrame(kind, id, about, octets)
    if (this.#socket.destroyed) return
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
        this.#pace()
      })
    }
    for (const part of parts) this.#socket.write(part)
  }

  /** While busy, nothing is read. */
  set busy(busy: boolean) {
    this.#busy = busy
    this.#pace()
  }

  /** What was sent before still arrives. */
  end(): void {
    this.#socket.end()
    // The other side closes too; one that does not is not waited for.
    this.#socket.destroySoon()
  }

  cut(fault?: Error): void {
    this.#fault ??= fault
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#socket.destroyed) return
        this.#to.frame(frame)
      }
    } catch (error) {
      this.cut(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Who does not read what it asked for is not asked what else it wants. */
  #pace(): void {
    const { writableLength } = this.#socket
    this.#choked = this.#choked ? writableLength > 0 : writableLength > mostWaiting
    if (this.#busy || this.#choked) this.#socket.pause()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }
}
