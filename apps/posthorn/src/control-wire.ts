import type { Socket } from 'node:net'

/** One question of the command. `content` announces lines of content that follow it. */
export interface Request {
  readonly method: string
  readonly params: readonly unknown[]
  readonly content?: boolean
}
/** A piece of content in base64, or its end. */
interface Piece {
  readonly piece: string | null
}
/** A piece of the JSON of an answer that is too long for a line, or its end. */
interface Fragment {
  readonly more: string | null
}
export type Response =
  Piece | { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: string }

const longestLine = 1024 * 1024
const pieceSize = 256 * 1024

/** The lines of a socket, each a JSON value; reading them sets the pace of the other side. */
export async function* linesOf(socket: Socket): AsyncGenerator {
  let rest = ''
  socket.setEncoding('utf8')
  for await (const chunk of socket as AsyncIterable<string>) {
    rest += chunk
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 1)
      yield JSON.parse(line)
    }
    if (rest.length > longestLine) throw new Error('a line of more than a MiB')
  }
}

/** Resolves when the other side takes more. */
export const sendLine = (socket: Socket, value: Request | Response | Fragment): Promise<void> =>
  new Promise((done, failed) => {
    if (socket.destroyed) return failed(new Error('the connection is closed'))
    socket.write(`${JSON.stringify(value)}\n`, error => (error ? failed(error) : done()))
  })

/** Send an answer of any length. */
export const sendAnswer = async (socket: Socket, answer: Response): Promise<void> => {
  const json = JSON.stringify(answer)
  if (json.length <= pieceSize) return sendLine(socket, answer)
  for (let at = 0; at < json.length; at += pieceSize) await sendLine(socket, { more: json.slice(at, at + pieceSize) })
  await sendLine(socket, { more: null })
}

/** The next answer; undefined when the lines ended before it. */
export const answerOf = async (lines: AsyncGenerator): Promise<Response | undefined> => {
  let json = ''
  for (;;) {
    const next = await lines.next()
    if (next.done === true) return undefined
    const line = next.value as Response | Fragment
    if (!('more' in line)) return line
    if (line.more === null) return JSON.parse(json) as Response
    json += line.more
  }
}

/** Send content in lines, with its end. */
export const sendContent = async (socket: Socket, content: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const chunk of content)
    for (let at = 0; at < chunk.byteLength; at += pieceSize) {
      const part = chunk.subarray(at, at + pieceSize)
      await sendLine(socket, { piece: Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64') })
    }
  await sendLine(socket, { piece: null })
}

/** The content that follows in the lines, up to its end. */
export async function* contentOf(lines: AsyncGenerator): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await lines.next()
    if (next.done === true) throw new Error('the connection ended within the content')
    const line = next.value as Partial<Piece> & { readonly error?: string }
    if (line.error !== undefined) throw new Error(line.error)
    if (line.piece === null) return
    if (typeof line.piece !== 'string') throw new Error('content was expected')
    yield Buffer.from(line.piece, 'base64')
  }
}
