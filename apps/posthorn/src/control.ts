import { connect, createServer, type Server, type Socket } from 'node:net'
import { chmodSync, rmSync } from 'node:fs'
import type { NewMessage, QueueId } from '@posthorn/contracts'
import { bodyOf } from '@posthorn/message'
import {
  answerOf,
  contentOf,
  linesOf,
  sendAnswer,
  sendContent,
  sendLine,
  type Request,
  type Response,
} from './control-wire.ts'
import { Failure } from './failure.ts'
import type { QueueOperations } from './queue-operations.ts'
import { leavePlace, type SocketPlace } from './socket-place.ts'

/** Questions and answers of one value each; `open` and `put` carry content besides. */
const plain = ['list', 'count', 'show', 'change', 'suspend', 'resume', 'suspensions', 'backUp'] as const
type Plain = (typeof plain)[number]

/** A control socket that is served. */
export interface Control {
  close(): Promise<void>
}

/** Serve queue operations, one after the other on each connection. The state directory's lock makes sure that nobody else uses the path. */
export const serveControl = async (place: SocketPlace, queue: QueueOperations): Promise<Control> => {
  const { path } = place
  rmSync(path, { force: true })
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    // Whoever sends no JSON, or goes away within an answer, is done with.
    serve(socket, queue).then(
      () => socket.end(),
      () => socket.destroy(),
    )
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
      leavePlace(place)
    },
  }
}

const serve = async (socket: Socket, queue: QueueOperations): Promise<void> => {
  const lines = linesOf(socket)
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    const request = next.value as Request
    const content = request.content === true ? contentOf(lines) : undefined
    try {
      const result = await answer(socket, queue, request, content)
      await sendAnswer(socket, { ok: true, result })
    } catch (error) {
      // What is left of the content stands before the next question.
      if (content !== undefined) while ((await content.next()).done !== true) continue
      await sendLine(socket, { ok: false, error: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** Maps don't survive JSON; a count goes over as its entries. */
const answer = async (
  socket: Socket,
  queue: QueueOperations,
  { method, params }: Request,
  content: AsyncGenerator<Uint8Array> | undefined,
): Promise<unknown> => {
  if (method === 'put' && content !== undefined) return queue.put(params[0] as NewMessage, content, String(params[1]))
  if (method === 'open') {
    const body = await queue.open(params[0] as QueueId)
    if (body === undefined) return null
    await sendContent(socket, body.open())
    return body.size
  }
  if (!plain.includes(method as Plain)) throw new Error(`unknown method ${JSON.stringify(method)}`)
  const call = queue[method as Plain] as (...args: readonly unknown[]) => Promise<unknown>
  // What was left out came over as null.
  const result = await call.apply(
    queue,
    params.map(param => param ?? undefined),
  )
  return result instanceof Map ? [...result] : (result ?? null)
}

/** The operations of a server, one at a time. */
export type Connection = QueueOperations & { close(): void }

/** Talk to the server that owns the state directory; undefined when none listens. */
export const connectControl = (path: string): Promise<Connection | undefined> =>
  new Promise(done => {
    const socket = connect(path)
    socket.once('error', () => done(undefined))
    socket.once('connect', () => {
      socket.on('error', () => socket.destroy())
      done(connectionOver(socket))
    })
  })

const connectionOver = (socket: Socket): Connection => {
  const lines = linesOf(socket)
  const closed = new Failure('the server closed the connection')
  const response = async (): Promise<Response> => {
    const answer = await answerOf(lines).catch(() => undefined)
    if (answer === undefined) throw closed
    return answer
  }
  const finish = (reply: Response): unknown => {
    if ('piece' in reply) throw new Failure('the server sent content that nobody asked for')
    if (!reply.ok) throw new Failure(reply.error)
    return reply.result
  }
  let last: Promise<unknown> = Promise.resolve()
  /** Questions that are asked at once wait for each other. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work)
    last = mine.catch(() => undefined)
    return mine
  }
  const ask = (method: Plain, ...params: readonly unknown[]): Promise<unknown> =>
    inTurn(async () => {
      await sendLine(socket, { method, params }).catch(() => Promise.reject(closed))
      return finish(await response())
    })
  return {
    list: async (...p) => (await ask('list', ...p)) as Awaited<ReturnType<QueueOperations['list']>>,
    count: async (...p) => new Map((await ask('count', ...p)) as [string, number][]),
    show: async (...p) => ((await ask('show', ...p)) ?? undefined) as Awaited<ReturnType<QueueOperations['show']>>,
    change: async (...p) => (await ask('change', ...p)) as number,
    suspend: async (...p) => (await ask('suspend', ...p)) as number,
    resume: async (...p) => ((await ask('resume', ...p)) ?? undefined) as number | undefined,
    suspensions: async () => (await ask('suspensions')) as Awaited<ReturnType<QueueOperations['suspensions']>>,
    backUp: async (...p) => (await ask('backUp', ...p)) as Awaited<ReturnType<QueueOperations['backUp']>>,
    open: id =>
      inTurn(async () => {
        await sendLine(socket, { method: 'open', params: [id] })
        const parts: Buffer[] = []
        for (;;) {
          const reply = await response()
          if (!('piece' in reply)) {
            const size = finish(reply)
            return size === null ? undefined : bodyOf(Buffer.concat(parts))
          }
          if (reply.piece !== null) parts.push(Buffer.from(reply.piece, 'base64'))
        }
      }),
    put: (message, content, actor) =>
      inTurn(async () => {
        await sendLine(socket, { method: 'put', params: [message, actor], content: true })
        await sendContent(socket, content)
        return finish(await response()) as QueueId
      }),
    close: () => socket.destroy(),
  }
}
