import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { manualClock } from '@posthorn/testkit'
import { createTokenSource } from './token-source.ts'

const never = new AbortController().signal
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A token endpoint; what it was sent, and a source that asks it. */
const endpoint = async (answer: (response: ServerResponse, request: IncomingMessage) => void) => {
  const forms: URLSearchParams[] = []
  const server = createServer((request, response) => {
    let form = ''
    request.on('data', chunk => (form += String(chunk)))
    request.on('end', () => {
      forms.push(new URLSearchParams(form))
      answer(response, request)
    })
  })
  closing.push(
    () => void server.close(),
    () => server.closeAllConnections(),
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const clock = manualClock()
  const o = { tokenUrl, clientId: 'posthorn', clientSecret: 's3', refreshToken: 'r1', scope: 'smtp' }
  return { forms, clock, source: createTokenSource(o, clock) }
}
const json = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
}

test('a token is asked for as RFC 6749 §6 says, once for all who wait, and again before it ends', async () => {
  let count = 0
  const { forms, clock, source } = await endpoint(r => json(r, { access_token: `t${++count}`, expires_in: 3600 }))
  expect(await Promise.all([source.token(never), source.token(never)])).toEqual(['t1', 't1'])
  expect(Object.fromEntries(forms[0] ?? [])).toEqual({
    grant_type: 'refresh_token',
    client_id: 'posthorn',
    client_secret: 's3',
    refresh_token: 'r1',
    scope: 'smtp',
  })
  await clock.advance(3_539_000)
  expect(await source.token(never)).toBe('t1')
  await clock.advance(2000)
  expect(await source.token(never)).toBe('t2')
  expect(forms).toHaveLength(2)
})
test('a token that was refused is replaced, and a replaced refresh token is used', async () => {
  let count = 0
  const { forms, source } = await endpoint(r => json(r, { access_token: `t${++count}`, refresh_token: 'r2' }))
  expect(await source.token(never)).toBe('t1')
  source.refused?.('another')
  expect(await source.token(never)).toBe('t1')
  source.refused?.('t1')
  expect(await source.token(never)).toBe('t2')
  expect(forms.map(form => form.get('refresh_token'))).toEqual(['r1', 'r2'])
})
test.each([
  [
    'an error',
    400,
    { error: 'invalid_grant', error_description: 's3' },
    'the token endpoint answers 400: invalid_grant',
  ],
  ['an error that is no word', 400, { error: 'a\r\nb' }, 'the token endpoint answers 400'],
  ['no token', 200, {}, 'the token endpoint answers 200'],
  ['a token with a control character', 200, { access_token: 'a\x01b' }, 'the token endpoint answers 200'],
  ['no object', 500, 1, 'the token endpoint answers 500 without JSON'],
] as const)('%s is said without secrets, and asked again the next time', async (_what, status, body, message) => {
  let bad = true
  const { source } = await endpoint(r => (bad ? json(r, body, status) : json(r, { access_token: 't' })))
  await expect(source.token(never)).rejects.toThrow(new Error(message))
  bad = false
  expect(await source.token(never)).toBe('t')
})
test('secrets do not follow a redirect, and an endless answer is cut', async () => {
  const away = await endpoint((r, { url }) =>
    url === '/token' ? r.writeHead(307, { location: '/other' }).end() : json(r, { access_token: 't' }),
  )
  await expect(away.source.token(never)).rejects.toThrow('fetch failed')
  expect(away.forms).toHaveLength(1)
  const endless = await endpoint(r => r.end(' '.repeat(70_000)))
  await expect(endless.source.token(never)).rejects.toThrow('without end')
})
test('an endpoint that does not answer is given up after its deadline, and by who asked at once', async () => {
  let asked = (): void => {}
  const there = new Promise<void>(resolve => (asked = resolve))
  const { clock, source } = await endpoint(() => asked())
  const controller = new AbortController()
  const aborted = source.token(controller.signal)
  const waiting = source.token(never)
  void waiting.catch(() => {})
  await there
  controller.abort(new Error('stop'))
  await expect(aborted).rejects.toThrow('stop')
  await expect(source.token(controller.signal)).rejects.toThrow('stop')
  await clock.advance(30_000)
  await expect(waiting).rejects.toThrow(/abort|timed|deadline|within/i)
  expect(clock.pending).toBe(0)
})
