import { createServer, type AddressInfo, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'

/** What a scripted submission server answers: the first rule whose pattern the command matches. `undefined` is silence. */
export interface Script {
  readonly answers?: readonly (readonly [pattern: RegExp, reply: string | undefined])[]
  readonly keywords?: readonly string[]
  readonly banner?: string
  readonly certificate?: { readonly cert: string; readonly key: string }
  readonly implicitTls?: boolean
}

/** A server of a few lines that remembers what it was told. */
export interface SubmissionServer {
  readonly port: number
  readonly commands: string[]
  readonly messages: string[]
}

const defaults: readonly (readonly [RegExp, string])[] = [
  [/^AUTH/i, '235 2.7.0 ok'],
  [/^MAIL|^RCPT/i, '250 2.1.0 ok'],
  [/^DATA/i, '354 go on'],
  [/^\./, '250 2.0.0 Ok: queued as 1234567890'],
  [/^QUIT/i, '221 2.0.0 bye'],
]

export const startServer = async (script: Script = {}): Promise<SubmissionServer> => {
  const commands: string[] = []
  const messages: string[] = []
  const open = new Set<Socket>()
  const serve = (socket: Socket, secure: boolean): void => {
    let buffered = ''
    let content: string | undefined
    const say = (reply: string | undefined): void => {
      if (reply !== undefined) socket.write(`${reply}\r\n`)
    }
    const command = (line: string): void => {
      commands.push(line)
      if (/^EHLO/i.test(line)) {
        const offered = [
          ...(script.keywords ?? []),
          ...(script.certificate !== undefined && !secure ? ['STARTTLS'] : []),
        ]
        return say(['250-test', ...offered.map(k => `250-${k}`), '250 SIZE 1000000'].join('\r\n'))
      }
      if (/^STARTTLS/i.test(line) && script.certificate !== undefined) {
        say('220 go ahead')
        socket.removeAllListeners('data')
        return serve(new TLSSocket(socket, { isServer: true, ...script.certificate }), true)
      }
      const rule = [...(script.answers ?? []), ...defaults].find(([pattern]) => pattern.test(line))
      say(rule === undefined ? '500 5.5.1 what?' : rule[1])
      if (/^DATA/i.test(line) && rule?.[1]?.startsWith('354') === true) content = ''
    }
    const line = (text: string): void => {
      if (content === undefined) return command(text)
      if (text !== '.') content += `${text}\r\n`
      else {
        messages.push(content)
        content = undefined
        command('.')
      }
    }
    socket.on('error', () => {})
    socket.on('data', chunk => {
      buffered += chunk.toString('latin1')
      const lines = buffered.split('\r\n')
      buffered = lines.pop() ?? ''
      for (const text of lines) line(text)
    })
  }
  const server = createServer(socket => {
    open.add(socket)
    const implicit = script.implicitTls === true && script.certificate !== undefined
    const wire = implicit ? new TLSSocket(socket, { isServer: true, ...script.certificate }) : socket
    serve(wire, implicit)
    wire.write(`${script.banner ?? '220 test ESMTP'}\r\n`)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, commands, messages }
}
