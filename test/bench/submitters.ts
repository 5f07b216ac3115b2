// Clients of a process of their own: each submits one message a connection, with STARTTLS and AUTH, and none resumes a TLS session.
import { connect } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'

const [port = 0, sessions = 0, count = 0, octets = 0] = process.argv.slice(2, 6).map(Number)
const [user = '', password = '', to = ''] = process.argv.slice(6)
const plain = Buffer.from(`\0${user}\0${password}`).toString('base64')
const body = `From: ${user}\r\nSubject: bench\r\n\r\n`
  .padEnd(octets - 2, 'x')
  .replaceAll(/x{70}/g, `${'x'.repeat(68)}\r\n`)
const secureContext = createSecureContext()

/** What is said after each reply, and how the reply must begin. Mail programs write the envelope in one piece. */
const inClear = ['220', 'EHLO load.test\r\n', '250', 'STARTTLS\r\n', '220'] as const
const underTls =
  `EHLO load.test|250|AUTH PLAIN ${plain}|235|MAIL FROM:<${user}>|250|RCPT TO:<${to}>|250|DATA|354|${body}\r\n.|250|QUIT|221`
    .split('|')
    .map((word, i) => (i % 2 === 0 ? `${word}\r\n` : word))

interface Speaker {
  on(event: 'data', call: (chunk: Buffer) => void): unknown
  on(event: 'error', call: (error: Error) => void): unknown
  removeAllListeners(event: 'data'): unknown
  write(text: string): boolean
}
/** Say and hear in turn; a word that ends in a line break is said, another is how the reply must begin. */
const act = (over: Speaker, words: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const left = [...words]
    let text = ''
    const go = (): void => {
      while (left[0]?.endsWith('\n')) over.write(left.shift() ?? '')
      if (left.length > 0) return
      over.removeAllListeners('data')
      resolve()
    }
    over.on('error', reject)
    over.on('data', chunk => {
      text += chunk.toString('latin1')
      const last = /(?:^|\n)(\d{3}) [^\n]*\n$/.exec(text)?.[1]
      if (last === undefined) return
      if (last !== left.shift()) reject(new Error(`unexpected: ${text}`))
      text = ''
      go()
    })
    go()
  })

const submit = async (): Promise<void> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await act(socket, inClear)
  const tls = connectTls({ socket, secureContext, rejectUnauthorized: false, servername: 'bench.test' })
  await act(tls, underTls)
  tls.destroy()
}

let left = count
const worker = async (): Promise<void> => {
  while (left-- > 0) await submit()
}
await Promise.all(Array.from({ length: sessions }, worker))
