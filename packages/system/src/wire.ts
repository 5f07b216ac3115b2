import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Endpoint, PeerCertificate, ServerTls, TlsFacts, TlsNeed, Wire, WireReader } from '@posthorn/contracts'
import { clientCertificate } from './client-certificate.ts'
import { clientTlsSocket, peerFault } from './client-tls.ts'
import { cleanServerName, serverTlsSocket } from './server-tls.ts'

/** How long a peer may take to receive our last words and to close its side. */
const LINGER_MS = 10_000

/** What is known of a stream besides its bytes. */
export interface WireFacts {
  readonly peer: Endpoint
  readonly local: Endpoint
  readonly tls?: TlsFacts
  /** Authorities (PEM) that `secure` trusts when the need names none; the system's when absent. */
  readonly ca?: readonly string[]
}

/** OpenSSL's own words for a failed handshake or record, without its addresses and source lines. */
const readable = (error: Error & { readonly reason?: unknown; readonly code?: unknown }): Error =>
  typeof error.reason === 'string' ? Object.assign(new Error(`TLS: ${error.reason}`), { code: error.code }) : error

const ignore = (): void => {}

class SocketWire implements Wire {
  readonly peer: Endpoint
  readonly local: Endpoint
  tls: TlsFacts | undefined
  readonly #ca: readonly string[] | undefined
  readonly #inMemory: boolean
  #stream: Duplex
  #reader: WireReader | undefined
  #paused = true
  #listening = false
  #ended = false
  #closing = false
  #closed = false
  #error: Error | undefined
  #waiting: (() => void)[] = []

  constructor(stream: Duplex, facts: WireFacts) {
    this.peer = facts.peer
    this.local = facts.local
    this.tls = facts.tls
    this.#ca = facts.ca
    this.#stream = stream
    this.#inMemory = !(stream instanceof Socket)
    this.#attach(stream)
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (!this.#closing) this.#reader?.data(chunk)
  }
  readonly #onEnd = (): void => {
    this.#ended = true
    if (!this.#closing) this.#reader?.end()
    else this.#dropPair()
  }
  readonly #onError = (error: Error): void => {
    this.#error ??= readable(error)
    // After a handshake without a tls.Server, Node reports a broken record and leaves the socket open.
    this.#stream.destroy()
  }
  readonly #onDrain = (): void => this.#wake()
  readonly #onClose = (): void => {
    if (this.#closed) return
    this.#closed = true
    this.#wake()
    this.#reader?.closed(this.#error)
  }

  #attach(stream: Duplex): void {
    stream.on('error', this.#onError)
    stream.on('_tlsError', this.#onError)
    stream.on('end', this.#onEnd)
    stream.on('drain', this.#onDrain)
    stream.on('close', this.#onClose)
  }
  /** Leave the stream to the TLS layer above it; its errors arrive there. */
  #detach(stream: Duplex): void {
    stream.pause()
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('drain', this.#onDrain)
    stream.off('close', this.#onClose)
    stream.off('_tlsError', this.#onError)
    stream.off('error', this.#onError)
    stream.on('error', ignore)
    this.#listening = false
  }
  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  read(reader: WireReader): void {
    const first = this.#reader === undefined
    this.#reader = reader
    if (this.#closed) return process.nextTick(() => reader.closed(this.#error))
    if (this.#ended) process.nextTick(() => !this.#closing && reader.end())
    if (first) this.resume()
  }
  #flow(): void {
    if (!this.#listening) {
      this.#listening = true
      this.#stream.on('data', this.#onData)
    }
    this.#stream.resume()
  }
  pause(): void {
    this.#paused = true
    if (!this.#closing) this.#stream.pause()
  }
  resume(): void {
    this.#paused = false
    if (!this.#closed) this.#flow()
  }

  write(bytes: Uint8Array | string): boolean {
    const stream = this.#stream
    if (this.#closing || this.#closed || stream.writableEnded || stream.destroyed) return false
    return typeof bytes === 'string' ? stream.write(bytes, 'latin1') : stream.write(bytes)
  }
  drained(): Promise<void> {
    const stream = this.#stream
    if (this.#closed || stream.destroyed || !stream.writableNeedDrain) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  channelBinding(): Uint8Array | undefined {
    const stream = this.#stream as Partial<TLSSocket>
    // Before TLS 1.3 the exporter binds nothing without the extended master secret (RFC 9266 §3), and Node does not tell of it.
    if (this.tls?.version !== 'TLSv1.3' || stream.exportKeyingMaterial === undefined) return undefined
    return stream.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  }

  async secure(need: TlsNeed, signal?: AbortSignal): Promise<TlsFacts> {
    const under = this.#stream
    const socket = await this.#handshake(() => clientTlsSocket(under, need, this.#ca), 'secureConnect', signal)
    const fault = peerFault(socket, need)
    if (fault.why !== undefined && fault.enforced) {
      this.abort()
      throw new Error(fault.why)
    }
    return this.#secured(socket, fault.why)
  }
  async secureServer(certificates: ServerTls, signal?: AbortSignal): Promise<TlsFacts> {
    const under = this.#stream
    const socket = await this.#handshake(() => serverTlsSocket(under, certificates), 'secure', signal)
    return this.#secured(socket, undefined, certificates.clientCertificates && clientCertificate(socket))
  }
  #secured(socket: TLSSocket, why: string | undefined, peerCertificate?: PeerCertificate): TlsFacts {
    const sni = cleanServerName((socket as { servername?: string | false | null }).servername)
    this.tls = {
      version: socket.getProtocol() ?? 'unknown',
      cipher: socket.getCipher().name,
      authorized: why === undefined,
      ...(why === undefined ? {} : { why }),
      ...(typeof socket.alpnProtocol === 'string' ? { alpn: socket.alpnProtocol } : {}),
      ...(sni === undefined ? {} : { sni }),
      ...(peerCertificate === undefined ? {} : { peerCertificate }),
    }
    return this.tls
  }
  async #handshake(make: () => TLSSocket, done: string, signal: AbortSignal | undefined): Promise<TLSSocket> {
    if (this.#closed || this.#closing) throw this.#error ?? new Error('the connection is closed')
    const under = this.#stream
    this.#detach(under)
    let socket: TLSSocket
    try {
      signal?.throwIfAborted()
      socket = make()
    } catch (error) {
      this.#attach(under)
      this.abort()
      throw error
    }
    this.#stream = socket
    this.#attach(socket)
    await this.#established(socket, done, signal)
    if (!this.#paused) this.#flow()
    return socket
  }
  #established(socket: TLSSocket, done: string, signal: AbortSignal | undefined): Promise<void> {
    // Over a pair in memory a client's whole handshake can happen before anyone can listen for its end.
    if (done === 'secureConnect' && socket.getPeerFinished() !== undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        socket.off(done, onDone)
        socket.off('close', onClose)
        socket.off('end', onEnd)
        signal?.removeEventListener('abort', onAbort)
      }
      const onDone = (): void => {
        settle()
        resolve()
      }
      const onClose = (): void => {
        settle()
        reject(this.#error ?? new Error('the connection was closed in the TLS handshake'))
      }
      // Half closed it would stay until a deadline, and only whole handshakes can be answered.
      const onEnd = (): void => void socket.destroy()
      const onAbort = (): void => {
        settle()
        this.abort()
        reject(signal?.reason as Error)
      }
      socket.on(done, onDone)
      socket.on('close', onClose)
      socket.on('end', onEnd)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Node's `duplexPair` never tells a writer that its peer was destroyed, so once both have ended nobody waits for it. */
  #dropPair(): void {
    const stream = this.#stream
    if (this.#inMemory && this.#ended) setImmediate(() => stream.destroy())
  }
  close(): void {
    if (this.#closing || this.#closed) return
    this.#closing = true
    // Unread bytes at the end would make the system send a reset, which can overtake our last reply.
    this.#flow()
    this.#stream.end()
    const stream = this.#stream
    const timer = setTimeout(() => stream.destroy(), LINGER_MS).unref()
    stream.once('close', () => clearTimeout(timer))
    this.#dropPair()
  }
  abort(): void {
    this.#closing = true
    this.#stream.destroy()
  }
}

/**
 * A wire over any stream: a socket, a TLS socket whose handshake is done, one end of a `duplexPair`. The wire owns the stream
 * from now on, also its errors.
 */
export const socketWire = (stream: Duplex, facts: WireFacts): Wire => new SocketWire(stream, facts)
