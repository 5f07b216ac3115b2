import { createServer, type AddressInfo } from 'node:net'
import { selfSigned } from '@posthorn/tls-policy'
import { beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Script } from '../test/submission-server.ts'
import type { Composed } from './compose.ts'
import { submitMessage, type SubmissionServer } from './submit.ts'
import { SubmitError } from './submit-error.ts'

const message: Composed = {
  sender: 'ann@example.org',
  recipients: ['bob@example.net', 'carol@example.net'],
  bytes: Buffer.from('Subject: x\r\n\r\n.dots\r\nend\r\n'),
}
let certificate: { readonly cert: string; readonly key: string }
beforeAll(async () => {
  const pair = await selfSigned({ names: ['mail.test', '127.0.0.1'] })
  certificate = { cert: pair.certPem, key: pair.keyPem }
})

const submit = async (script: Script, o: Partial<SubmissionServer> = {}) => {
  const server = await startServer(script)
  const result = submitMessage(message, { host: '127.0.0.1', port: server.port, tls: 'none', timeoutMs: 5000, ...o })
  return { server, result }
}
const failure = async (result: Promise<unknown>): Promise<SubmitError> => {
  const error: unknown = await result.then(
    () => undefined,
    (e: unknown) => e,
  )
  if (!(error instanceof SubmitError)) throw new Error(`not a SubmitError: ${String(error)}`)
  return error
}

describe('a server that takes the message', () => {
  test('gets the envelope and the bytes as they are, dots unharmed', async () => {
    const { server, result } = await submit({})
    expect(await result).toEqual({
      accepted: message.recipients,
      rejected: [],
      reply: '250 2.0.0 Ok: queued as 1234567890',
    })
    expect(server.commands.slice(1, 4)).toEqual([
      'MAIL FROM:<ann@example.org>',
      'RCPT TO:<bob@example.net>',
      'RCPT TO:<carol@example.net>',
    ])
    expect(server.messages).toEqual(['Subject: x\r\n\r\n..dots\r\nend\r\n'])
  })

  test('may refuse some recipients, and says what of each', async () => {
    const { result } = await submit({ answers: [[/carol/, '550 5.1.1 No such mailbox']] })
    expect(await result).toMatchObject({
      accepted: ['bob@example.net'],
      rejected: [{ address: 'carol@example.net', reply: '550 5.1.1 No such mailbox' }],
    })
  })

  test.each(['starttls', 'implicit'] as const)(
    'with %s gets the password through TLS only, its certificate checked',
    async tls => {
      const { server, result } = await submit(
        { certificate, implicitTls: tls === 'implicit', keywords: ['AUTH PLAIN'] },
        { tls, ca: certificate.cert, user: 'ann', password: 'secret' },
      )
      expect((await result).accepted).toHaveLength(2)
      const auth = server.commands.findIndex(c => c.startsWith('AUTH'))
      expect(Buffer.from(server.commands[auth]?.split(' ')[2] ?? '', 'base64').toString()).toBe('\0ann\0secret')
      // There is none with TLS from the first byte.
      expect(server.commands.indexOf('STARTTLS')).toBeLessThan(auth)
    },
  )
})

describe('a server that does not', () => {
  test.each([
    ['auth', false, { keywords: ['AUTH PLAIN'], answers: [[/^AUTH/, '535 5.7.8 Bad']] }, '535 5.7.8 Bad'],
    ['auth', true, { keywords: ['AUTH PLAIN'], answers: [[/^AUTH/, '454 4.7.0 Later']] }, '454 4.7.0 Later'],
    ['sender', false, { answers: [[/^MAIL/, '553 5.7.1 Not yours']] }, '553 5.7.1 Not yours'],
    ['recipients', true, { answers: [[/^RCPT/, '450 4.2.1 Later']] }, '450 4.2.1 Later'],
    ['content', false, { answers: [[/^\./, '554 5.6.0 Spam']] }, '554 5.6.0 Spam'],
    ['content', true, { answers: [[/^\./, '452 4.3.1 Full']] }, '452 4.3.1 Full'],
    ['protocol', true, { banner: '421 4.3.2 Closing' }, '421 4.3.2 Closing'],
  ] as const)('is a clear error: %s, temporary: %s', async (reason, temporary, script, reply) => {
    const secure = { tls: 'starttls' as const, ca: certificate.cert, user: 'ann', password: 'secret' }
    const { result } = await submit(
      { ...script, ...(reason === 'auth' ? { certificate } : {}) },
      reason === 'auth' ? secure : {},
    )
    expect(await failure(result)).toMatchObject({ reason, temporary, reply })
  })

  test('all recipients refused: each with its words', async () => {
    const { result } = await submit({
      answers: [
        [/bob/, '550 5.1.1 No Bob'],
        [/carol/, '550 5.1.1 No Carol'],
      ],
    })
    const error = await failure(result)
    expect(error.reason).toBe('recipients')
    expect(error.rejected).toEqual([
      { address: 'bob@example.net', reply: '550 5.1.1 No Bob' },
      { address: 'carol@example.net', reply: '550 5.1.1 No Carol' },
    ])
  })

  test('is not there: connect, temporary', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise(resolve => server.close(resolve))
    const error = await failure(submitMessage(message, { host: '127.0.0.1', port, tls: 'none' }))
    expect(error).toMatchObject({ reason: 'connect', temporary: true })
    expect(error.message).toContain(`127.0.0.1:${port}`)
  })

  test('falls silent: timeout', async () => {
    const { result } = await submit({ answers: [[/^MAIL/, undefined]] }, { timeoutMs: 200 })
    expect(await failure(result)).toMatchObject({ reason: 'timeout', temporary: true })
  })

  test('offers no STARTTLS: nothing is sent in clear', async () => {
    const { server, result } = await submit({}, { tls: 'starttls' })
    expect(await failure(result)).toMatchObject({ reason: 'tls' })
    expect(server.commands.some(c => c.startsWith('MAIL'))).toBe(false)
  })

  test.each(['starttls', 'implicit'] as const)('has a certificate nobody vouches for: tls (%s)', async tls => {
    const { server, result } = await submit({ certificate, implicitTls: tls === 'implicit' }, { tls })
    expect(await failure(result)).toMatchObject({ reason: 'tls', temporary: false })
    expect(server.commands.some(c => c.startsWith('MAIL'))).toBe(false)
  })

  test('has a certificate of another name: tls', async () => {
    const { result } = await submit(
      { certificate },
      { tls: 'starttls', ca: certificate.cert, serverName: 'other.test' },
    )
    expect(await failure(result)).toMatchObject({ reason: 'tls' })
  })

  test('an abort ends it', async () => {
    const server = await startServer({ answers: [[/^MAIL/, undefined]] })
    const stop = new AbortController()
    const result = submitMessage(message, { host: '127.0.0.1', port: server.port, tls: 'none' }, stop.signal)
    setImmediate(() => stop.abort())
    expect(await failure(result)).toMatchObject({ reason: 'aborted' })
  })
})

test('a password without TLS is refused before anything is sent', async () => {
  const { server, result } = await submit({}, { user: 'ann', password: 'secret' })
  await expect(result).rejects.toThrow('a password is not sent without TLS')
  expect(server.commands).toEqual([])
})
