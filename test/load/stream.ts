import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** A connection that is written to as fast as the peer reads, and whose replies are only counted. */
export interface Stream {
  /** Lines of replies so far. */
  replies(): number
  /** The last line of them. */
  last(): string
  /** The peer has closed. */
  over(): boolean
  /** Write, and wait while the peer doesn't read. Answers false when the peer has closed. */
  write(bytes: Uint8Array): Promise<boolean>
  /** Wait for so many lines of replies, or for the end. */
  until(replies: number): Promise<void>
  readonly closed: Promise<void>
  cut(): void
}

class Counted implements Stream {
  readonly closed: Promise<void>
  readonly #socket: Socket
  #lines = 0
  #tail = ''
  #over = false
  #wake = (): void => undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) this.#lines += 1
      this.#tail = (this.#tail + chunk.toString('latin1')).slice(-1000)
      this.#wake()
    })
    socket.on('error', () => undefined)
    this.closed = new Promise(resolve =>
      socket.once('close', () => {
        this.#over = true
        this.#wake()
        resolve()
      }),
    )
  }
  replies(): number {
    return this.#lines
  }
  last(): string {
    return this.#tail.trimEnd().split('\r\n').at(-1) ?? ''
  }
  over(): boolean {
    return this.#over
  }
  async write(bytes: Uint8Array): Promise<boolean> {
    if (!this.#over && !this.#socket.write(bytes))
      await Promise.race([new Promise<void>(resolve => this.#socket.once('drain', resolve)), this.closed])
    return !this.#over
  }
  async until(replies: number): Promise<void> {
    while (!this.#over && this.#lines < replies) await new Promise<void>(resolve => (this.#wake = resolve))
  }
  cut(): void {
    this.#socket.destroy()
  }
}

/** Connect to a port of loopback and read the greeting. */
export const open = async (port: number): Promise<Stream> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const stream = new Counted(socket)
  await once(socket, 'connect')
  await stream.until(1)
  return stream
}

/** The same, with EHLO, or what else is said first, and its answers read. */
export const introduced = async (port: number, ...lines: readonly string[]): Promise<Stream> => {
  const stream = await open(port)
  for (const line of ['HELO load.example', ...lines]) {
    const before = stream.replies()
    await stream.write(Buffer.from(`${line}\r\n`))
    await stream.until(before + 1)
    if (!/^[23]/.test(stream.last())) throw new Error(`${line}: ${stream.last()}`)
  }
  return stream
}
