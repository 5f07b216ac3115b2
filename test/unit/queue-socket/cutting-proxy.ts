import { rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { afterTest } from './rig.ts'

/** Stands between a client and the owner, and knows where frames end. */
export interface CuttingProxy {
  readonly path: string
  /** Frames that went through to the owner, and octets to the client, since `cutAfter`. */
  readonly toOwner: number
  readonly toClient: number
  readonly octetsToClient: number
  /** Cut all connections as soon as so many frames have gone that way. */
  cutAfter(way: 'toOwner' | 'toClient', frames: number): void
  cut(): void
}

/** Whole frames of a stream of octets: four octets of length, and what follows. */
const framesOf = (): ((chunk: Buffer) => readonly Buffer[]) => {
  let rest: Buffer = Buffer.alloc(0)
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    const frames: Buffer[] = []
    while (rest.byteLength >= 4 && rest.byteLength >= rest.readUInt32BE(0) + 4) {
      const length = rest.readUInt32BE(0) + 4
      frames.push(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    return frames
  }
}

export const cuttingProxy = async (to: string): Promise<CuttingProxy> => {
  const path = `${to}.proxy`
  const sockets = new Set<Socket>()
  const gone = { toOwner: 0, toClient: 0, octetsToClient: 0 }
  let limit: { readonly way: 'toOwner' | 'toClient'; readonly frames: number } | undefined
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  const pass = (way: 'toOwner' | 'toClient', from: Socket, into: Socket): void => {
    const frames = framesOf()
    from.on('data', chunk => {
      for (const frame of frames(chunk)) {
        if (limit?.way === way && gone[way] >= limit.frames) return cut()
        gone[way]++
        if (way === 'toClient') gone.octetsToClient += frame.byteLength
        into.write(frame)
      }
      if (limit?.way === way && gone[way] >= limit.frames) {
        // What has gone through still arrives.
        into.end()
        from.destroy()
      }
    })
    from.on('error', () => from.destroy())
    from.on('close', () => into.destroySoon())
  }
  const server = createServer(client => {
    const owner = connect(to)
    sockets.add(client).add(owner)
    pass('toOwner', client, owner)
    pass('toClient', owner, client)
  })
  const mask = process.umask(0o177)
  await new Promise<void>(done => {
    server.listen(path, done)
    process.umask(mask)
  })
  afterTest(async () => {
    cut()
    await new Promise(done => server.close(done))
    rmSync(path, { force: true })
  })
  return {
    path,
    get toOwner() {
      return gone.toOwner
    },
    get toClient() {
      return gone.toClient
    },
    get octetsToClient() {
      return gone.octetsToClient
    },
    cutAfter: (way, frames) => {
      Object.assign(gone, { toOwner: 0, toClient: 0, octetsToClient: 0 })
      limit = Number.isFinite(frames) ? { way, frames } : undefined
    },
    cut,
  }
}
