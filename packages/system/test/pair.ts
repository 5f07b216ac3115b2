import { connect, createServer, type AddressInfo } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import type { Wire, WireReader } from '@posthorn/contracts'
import { socketWire } from '../src/index.ts'

const here = { ip: '127.0.0.1', port: 0 }

/** Two ends of one stream: a TCP connection over loopback, or Node's pair in memory. */
export const streams: Readonly<Record<'tcp' | 'memory', () => Promise<readonly [Duplex, Duplex]>>> = {
  memory: async () => duplexPair(),
  tcp: () =>
    new Promise((resolve, reject) => {
      const server = createServer(accepted => {
        server.close()
        resolve([client, accepted])
      })
      let client: ReturnType<typeof connect>
      server.listen(0, '127.0.0.1', () => {
        client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true })
        client.once('error', reject)
      })
    }),
}

export const wireOf = (stream: Duplex): Wire => socketWire(stream, { peer: here, local: here })

/** A reader that remembers, and tells when something happened. */
export interface Recorder extends WireReader {
  readonly text: string
  readonly ended: boolean
  /** How often `closed` was called. */
  readonly closes: number
  readonly error: Error | undefined
  until(what: (r: Recorder) => boolean): Promise<void>
}

export const recorder = (): Recorder => {
  const state = { text: '', ended: false, closes: 0, error: undefined as Error | undefined }
  let waiting: (() => void)[] = []
  const changed = (): void => {
    const now = waiting
    waiting = []
    for (const call of now) call()
  }
  const self: Recorder = {
    get text() {
      return state.text
    },
    get ended() {
      return state.ended
    },
    get closes() {
      return state.closes
    },
    get error() {
      return state.error
    },
    data(chunk) {
      state.text += Buffer.from(chunk).toString('latin1')
      changed()
    },
    end() {
      state.ended = true
      changed()
    },
    closed(error) {
      state.closes++
      state.error = error
      changed()
    },
    async until(what) {
      while (!what(self)) await new Promise<void>(resolve => waiting.push(resolve))
    },
  }
  return self
}
