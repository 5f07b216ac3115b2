import { createServer, connect, type Server, type Socket } from 'node:net'
import { chmodSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Queue } from '@posthorn/contracts'
import { Failure } from './failure.ts'

/** What the command asks of a running server, over a socket that only its owner can open. */
export type QueueOperations = Pick<Queue, 'list' | 'count' | 'show' | 'change'>
const methods = ['list', 'count', 'show', 'change'] as const
type Method = (typeof methods)[number]

const longestLine = 1024 * 1024
// The kernel's limit for the path of a Unix socket is 108 octets.
const longestPath = 100

/** Where a control socket goes. `made` is a directory made for it alone, which goes with it. */
export interface SocketPlace {
  readonly path: string
  readonly made?: string
}

/** Inside the state directory, or, when that path is too long for a socket, in a private temporary directory. */
export const socketPlace = (state: string): SocketPlace => {
  const inside = join(resolve(state), 'control.sock')
  if (Buffer.byteLength(inside) <= longestPath) return { path: inside }
  const made = mkdtempSync(join(tmpdir(), 'posthorn-'))
  return { path: join(made, 'control.sock'), made }
}

/** A control socket that is served. */
export interface Control {
  close(): Promise<void>
}

/** Serve queue operations. The state directory's lock makes sure that nobody else uses the path. */
export const serveControl = async ({ path, made }: SocketPlace, queue: QueueOperations): Promise<Control> => {
  rmSync(path, { force: true })
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    lines(socket, line => {
      void answer(queue, line).then(text => socket.write(`${text}\n`))
    })
  })
  await new Promise<void>((done, failed) => {
    server.once('error', failed)
    server.listen(path, done)
  })
  chmodSync(path, 0o600)
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(done => void server.close(() => done()))
      rmSync(path, { force: true })
      // Never recursive: what else lies beside a socket may be a queue.
      if (made !== undefined) rmdirSync(made)
    },
  }
}

const lines = (socket: Socket, each: (line: string) => void): void => {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', chunk => {
    rest += String(chunk)
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      each(rest.slice(0, end))
      rest = rest.slice(end + 1)
    }
    if (rest.length > longestLine) socket.destroy()
  })
}

/** Maps don't survive JSON; a count goes over as its entries. */
const answer = async (queue: QueueOperations, line: string): Promise<string> => {
  try {
    const { method, params } = JSON.parse(line) as { method: Method; params: readonly unknown[] }
    if (!methods.includes(method)) throw new Error(`unknown method ${JSON.stringify(method)}`)
    const call = queue[method] as (...args: readonly unknown[]) => Promise<unknown>
    // What was left out came over as null.
    const result = await call.apply(
      queue,
      params.map(param => param ?? undefined),
    )
    return JSON.stringify({ ok: true, result: result instanceof Map ? [...result] : (result ?? null) })
  } catch (error) {
    return JSON.stringify({ ok: false, error: error instanceof Error ? error.message : String(error) })
  }
}

/** Talk to the server that owns the state directory; undefined when none listens. */
export const connectControl = (path: string): Promise<(QueueOperations & { close(): void }) | undefined> =>
  new Promise(done => {
    const socket = connect(path)
    const waiting: { readonly give: (value: unknown) => void; readonly fail: (error: Error) => void }[] = []
    socket.once('error', () => done(undefined))
    socket.once('connect', () => {
      lines(socket, line => {
        const reply = JSON.parse(line) as { ok: boolean; result?: unknown; error?: string }
        const asked = waiting.shift()
        if (reply.ok) asked?.give(reply.result)
        else asked?.fail(new Failure(reply.error ?? 'the server gave no reason'))
      })
      socket.once('close', () => {
        for (const asked of waiting) asked.fail(new Failure('the server closed the connection'))
      })
      const ask = (method: Method, ...params: readonly unknown[]): Promise<unknown> =>
        new Promise((give, fail) => {
          waiting.push({ give, fail })
          socket.write(`${JSON.stringify({ method, params })}\n`)
        })
      done({
        list: async (...p) => (await ask('list', ...p)) as Awaited<ReturnType<Queue['list']>>,
        count: async (...p) => new Map((await ask('count', ...p)) as [string, number][]),
        show: async (...p) => ((await ask('show', ...p)) ?? undefined) as Awaited<ReturnType<Queue['show']>>,
        change: async (...p) => (await ask('change', ...p)) as number,
        close: () => socket.destroy(),
      })
    })
  })
