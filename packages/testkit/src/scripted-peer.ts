import type { Endpoint, Network, TlsFacts, TlsNeed, Wire, WireReader } from '@posthorn/contracts'

type Dialled = Parameters<Network['dial']>[0]

/** Beyond this many octets that the peer has not taken, `write` says wait. */
const WINDOW = 65_536

const latin1 = (bytes: Uint8Array): string => {
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return text
}

/** What a script sees of the client, and what it may do to it. Text is latin1: one character an octet. */
export interface ScriptedPeer {
  readonly to: Dialled
  /** What the client wrote, one entry a write. */
  readonly writes: readonly string[]
  /** What the client asked of TLS. */
  readonly needs: readonly TlsNeed[]
  /** The client has closed or aborted. */
  readonly gone: boolean
  /** The next line without its CR LF; `undefined` when the client has gone. */
  line(): Promise<string | undefined>
  /** The next octets, as many as asked for; fewer when the client has gone. */
  take(length: number): Promise<string>
  /** What follows 354, up to the final dot and without it, dots still doubled; `undefined` when the client left before. */
  content(): Promise<string | undefined>
  say(text: string): void
  /** The peer says no more and closes. */
  end(): void
  /** The connection breaks. */
  reset(message?: string): void
  /** Resolves when the client has closed or aborted. */
  left(): Promise<void>
  /** What SCRAM can be bound to, once there is TLS. */
  binding: Uint8Array | undefined
  /** How TLS asked for by the client ends: facts, or the reason why not, or never. At first every handshake satisfies. */
  handshake: (need: TlsNeed) => Partial<TlsFacts> | Error | 'never'
}

/** One connection's part of a test. What it throws is a fault of the test. */
export type PeerScript = (peer: ScriptedPeer) => Promise<void>

const satisfied: TlsFacts = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', authorized: true }

/** A connection in memory: the client holds it as a wire, the script as a peer. What is said arrives in order, in a later turn. */
class Connection implements Wire, ScriptedPeer {
  readonly peer: Endpoint
  readonly local: Endpoint = { ip: '198.51.100.1', port: 49_152 }
  readonly to: Dialled
  readonly writes: string[] = []
  readonly needs: TlsNeed[] = []
  tls: TlsFacts | undefined
  handshake: ScriptedPeer['handshake'] = () => satisfied
  binding: Uint8Array | undefined
  gone = false
  #reader: WireReader | undefined
  #paused = true
  /** What the client is still to be told, oldest first. */
  #news: ((reader: WireReader) => void)[] = []
  #delivering = false
  #over = false
  #received = ''
  #taken: (() => void)[] = []
  #arrived: (() => void)[] = []

  constructor(to: Dialled) {
    this.to = to
    this.peer = { ip: to.path === undefined ? to.host : '127.0.0.1', port: to.port }
  }

  // The client's end.

  read(reader: WireReader): void {
    this.#reader = reader
    this.resume()
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.#deliver()
  }
  write(bytes: Uint8Array | string): boolean {
    if (this.gone || this.#over) return false
    const text = typeof bytes === 'string' ? bytes : latin1(bytes)
    this.writes.push(text)
    this.#received += text
    this.#wake(this.#arrived)
    return this.#received.length <= WINDOW
  }
  async drained(): Promise<void> {
    while (this.#received.length > 0 && !this.gone && !this.#over) await new Promise<void>(r => this.#taken.push(r))
  }
  async secure(need: TlsNeed, signal?: AbortSignal): Promise<TlsFacts> {
    this.needs.push(need)
    const answer = this.handshake(need)
    if (answer === 'never') await this.#aborted(signal)
    else if (!(answer instanceof Error)) {
      this.tls = { ...satisfied, ...answer }
      return this.tls
    }
    this.abort()
    throw answer instanceof Error ? answer : (signal?.reason as Error)
  }
  #aborted(signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      if (signal?.aborted === true) resolve()
      else signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  channelBinding(): Uint8Array | undefined {
    return this.tls === undefined ? undefined : this.binding
  }
  secureServer(): Promise<TlsFacts> {
    return Promise.reject(new Error('a scripted peer is no client'))
  }
  close(): void {
    this.#leave()
  }
  abort(): void {
    this.#leave()
  }
  #leave(): void {
    if (this.gone) return
    this.gone = true
    this.#wake(this.#arrived)
    this.#wake(this.#taken)
    this.#tell(reader => reader.closed())
    this.#over = true
  }

  // The peer's end.

  say(text: string): void {
    this.#tell(reader => reader.data(Uint8Array.from(text, c => c.charCodeAt(0))))
  }
  end(): void {
    this.#tell(reader => reader.end())
    this.#finish(undefined)
  }
  reset(message = 'read ECONNRESET'): void {
    this.#finish(new Error(message))
  }
  #finish(error: Error | undefined): void {
    this.#tell(reader => reader.closed(error))
    this.#over = true
    this.#wake(this.#taken)
  }
  async line(): Promise<string | undefined> {
    const end = await this.#until('\r\n')
    return end === undefined ? undefined : this.#cut(end, 2)
  }
  async take(length: number): Promise<string> {
    while (this.#received.length < length && !this.gone) await this.#more()
    return this.#cut(Math.min(length, this.#received.length), 0)
  }
  async content(): Promise<string | undefined> {
    // A large body must be taken for more of it to come, so it is gathered here and the window stays open.
    let text = ''
    for (;;) {
      text += this.#cut(this.#received.length, 0)
      const end = text.startsWith('.\r\n') ? -2 : text.indexOf('\r\n.\r\n')
      if (end !== -1) {
        this.#received = text.slice(end + 5) + this.#received
        return text.slice(0, end + 2)
      }
      if (this.gone) return undefined
      await this.#more()
    }
  }
  async left(): Promise<void> {
    while (!this.gone) await this.#more()
  }

  async #until(mark: string): Promise<number | undefined> {
    for (;;) {
      const at = this.#received.indexOf(mark)
      if (at >= 0) return at
      if (this.gone) return undefined
      await this.#more()
    }
  }
  #more(): Promise<void> {
    return new Promise(resolve => this.#arrived.push(resolve))
  }
  #cut(length: number, skip: number): string {
    const text = this.#received.slice(0, length)
    this.#received = this.#received.slice(length + skip)
    if (this.#received === '') this.#wake(this.#taken)
    return text
  }
  #wake(waiting: (() => void)[]): void {
    for (const resolve of waiting.splice(0)) resolve()
  }
  #tell(news: (reader: WireReader) => void): void {
    if (this.#over) return
    this.#news.push(news)
    this.#deliver()
  }
  #deliver(): void {
    if (this.#delivering) return
    this.#delivering = true
    void Promise.resolve().then(() => {
      this.#delivering = false
      // A paused client hears nothing but, once it has left itself, that it is over.
      if (this.#reader === undefined || (this.#paused && !this.gone)) return
      const next = this.#news.shift()
      if (next === undefined) return
      next(this.#reader)
      this.#deliver()
    })
  }
}

/** A network whose every peer follows a script. */
export interface ScriptedNetwork extends Network {
  /** What was dialled, in order. */
  readonly dialled: readonly Dialled[]
  /** The peers so far, in the order in which they were dialled. */
  readonly peers: readonly ScriptedPeer[]
  /** What scripts threw. A test ends by looking that there is none. */
  readonly faults: readonly unknown[]
}

/**
 * A network for tests of clients: each connection takes the next script. An Error in its place refuses the connection with that
 * error, `never` lets it hang until it is given up, and past the last script connections are refused.
 */
export const scriptedNetwork = (...scripts: readonly (PeerScript | Error | 'never')[]): ScriptedNetwork => {
  const dialled: Dialled[] = []
  const peers: ScriptedPeer[] = []
  const faults: unknown[] = []
  return {
    dialled,
    peers,
    faults,
    dial(to, signal) {
      const script = scripts[dialled.length] ?? Object.assign(new Error('no more scripts'), { code: 'ECONNREFUSED' })
      dialled.push(to)
      if (script === 'never')
        return new Promise((_, reject) => {
          const stop = (): void => reject(signal?.reason)
          if (signal?.aborted === true) stop()
          else signal?.addEventListener('abort', stop, { once: true })
        })
      if (script instanceof Error) return Promise.reject(script)
      const connection = new Connection(to)
      peers.push(connection)
      script(connection).catch((error: unknown) => {
        faults.push(error)
        connection.reset('the script failed')
      })
      return Promise.resolve(connection)
    },
  }
}
