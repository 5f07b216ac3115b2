import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** One conversation with a server, line by line as a client sees it. */
export interface Talk {
  /** The next whole reply, its lines joined by a newline; rejects when the connection ends first. */
  reply(): Promise<string>
  /** Write a line and wait for the reply to it. */
  say(line: string): Promise<string>
  /** Write octets as they are; resolves when the system has taken them. */
  write(bytes: string | Uint8Array): Promise<void>
  /** STARTTLS, of a server whose certificate is not looked at. */
  secure(): Promise<void>
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>
  /** Cut the connection. */
  cut(): void
}

const longestWaitMs = 30_000

class Conversation implements Talk {
  readonly ended: Promise<void>
  #socket: Socket
  #text = ''
  #over = false
  #wake = (): void => undefined
  #end = (): void => undefined

  constructor(socket: Socket) {
    this.#socket = socket
    this.ended = new Promise(resolve => (this.#end = resolve))
    this.#attach(socket)
  }

  #attach(socket: Socket): void {
    socket.on('data', chunk => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (socket !== this.#socket) return
      this.#over = true
      this.#wake()
      this.#end()
    })
  }

  #take(): string | undefined {
    const whole = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/.exec(this.#text)?.[0]
    if (whole === undefined) return undefined
    this.#text = this.#text.slice(whole.length)
    return whole.trimEnd().replaceAll('\r\n', '\n')
  }

  async reply(): Promise<string> {
    const limit = setTimeout(() => this.cut(), longestWaitMs)
    try {
      for (;;) {
        const whole = this.#take()
        if (whole !== undefined) return whole
        if (this.#over) throw new Error(`the connection ended; unread: ${JSON.stringify(this.#text)}`)
        await new Promise<void>(resolve => (this.#wake = resolve))
      }
    } finally {
      clearTimeout(limit)
    }
  }

  async say(line: string): Promise<string> {
    await this.write(`${line}\r\n`)
    return this.reply()
  }

  write(bytes: string | Uint8Array): Promise<void> {
    const octets = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes
    return new Promise(resolve => void this.#socket.write(octets, () => resolve()))
  }

  async secure(): Promise<void> {
    const reply = await this.say('STARTTLS')
    if (!reply.startsWith('220')) throw new Error(reply)
    const under = this.#socket
    under.removeAllListeners('data')
    const tls = connectTls({ socket: under, rejectUnauthorized: false })
    this.#socket = tls
    this.#attach(tls)
    await new Promise<void>((resolve, reject) => {
      tls.once('secureConnect', resolve)
      tls.once('error', reject)
    })
  }

  cut(): void {
    this.#socket.destroy()
  }
}

/** Connect to a port of loopback and read the greeting, unless the server greets only after something else. */
export const talk = async (port: number): Promise<Talk> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const conversation = new Conversation(socket)
  const greeting = await conversation.reply()
  if (!greeting.startsWith('220')) throw new Error(greeting)
  return conversation
}

/** A message of a session: its envelope and its content, which is sent as it is, the final dot added. Answers the last reply. */
export const sendMail = async (
  t: Talk,
  mail: { readonly from?: string; readonly to: readonly string[]; readonly content: string },
): Promise<string> => {
  const steps = [
    `MAIL FROM:<${mail.from ?? 'sender@elsewhere.example'}>`,
    ...mail.to.map(to => `RCPT TO:<${to}>`),
    'DATA',
  ]
  for (const step of steps) {
    const reply = await t.say(step)
    if (!/^[23]/.test(reply)) return reply
  }
  await t.write(`${mail.content}\r\n.\r\n`)
  return t.reply()
}
