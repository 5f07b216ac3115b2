import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { PeerScript, ScriptedPeer } from '@posthorn/testkit'
import { bench, content, mail, never, target, tls } from '../test/exchange.ts'
import { createClient, type Credentials, type Target, type TokenSource } from './index.ts'

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64')
const text = (coded: string): string => Buffer.from(coded, 'base64').toString()

const clear = 'S: 220 mx\nC: EHLO client.example\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n'
const hello = (auth: string): string => `${clear}C: EHLO client.example\nS: 250-mx\nS: 250 AUTH ${auth}\n`
const rest = `C: MAIL FROM:<alice@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.org>\nS: 250 ok\nC: DATA\nS: 354 go\n${content}S: 250 ok`

const random = { bytes: () => Buffer.from('rOprNGfwEbeRWgbNEkqO', 'base64') }
const pencil: Credentials = { user: 'user', password: 'pencil' }
const to = (credentials: Credentials): Target => target({ ...tls('verify'), credentials })
const send = async (
  script: string | PeerScript,
  credentials: Credentials,
  nonce: typeof random | undefined = random,
) => {
  const b = bench([script])
  const client = createClient({
    network: b.network,
    clock: b.clock,
    hostname: 'client.example',
    ...(nonce && { random: nonce }),
  })
  const [outcome] = await client.send(mail(), to(credentials), never)
  expect(b.network.faults).toEqual([])
  await client.close()
  return outcome
}

/** The example of RFC 7677 §3. */
const rfc7677 = {
  first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  proof: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
}
const upTo = (challenge: string): string =>
  `${hello('PLAIN SCRAM-SHA-256')}C: AUTH SCRAM-SHA-256 ${base64(rfc7677.first)}\nS: 334 ${base64(challenge)}\n`
const proved = `${upTo(rfc7677.challenge)}C: ${base64(rfc7677.final)}\n`

describe('SCRAM-SHA-256', () => {
  test('is preferred to PLAIN, and is that of RFC 7677 §3', async () => {
    expect((await send(`${proved}S: 334 ${base64(rfc7677.proof)}\nC: \nS: 235 ok\n${rest}`, pencil))?.fate).toBe(
      'relayed',
    )
  })
  test.each([
    ['says 235 without a proof', `${proved}S: 235 ok\nC: QUIT`],
    ['proves another password', `${proved}S: 334 ${base64(`v=${base64('x'.repeat(32))}`)}\nC: *\nS: 501 ok\nC: QUIT`],
    ['says no more than an error', `${proved}S: 334 ${base64('e=other-error')}\nC: *\nS: 501 ok\nC: QUIT`],
  ])('row 20: a peer that %s is not believed', async (_what, script) => {
    expect(await send(script, pencil)).toMatchObject({
      fate: 'deferred',
      phase: 'auth',
      status: '4.7.0',
      cause: 'AUTH SCRAM-SHA-256: the peer did not prove that it knows the password',
    })
  })
  test.each([
    ['a nonce of its own', rfc7677.challenge.replace('r=rO', 'r=xO'), /nonce/],
    ['no nonce of its own', 'r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096', /nonce/],
    ['one iteration', rfc7677.challenge.replace('4096', '1'), /1 iterations/],
    ['a billion iterations', rfc7677.challenge.replace('4096', '999999999'), /999999999 iterations/],
    ['an extension that is mandatory', `m=x,${rfc7677.challenge}`, /nonce/],
    ['nothing', '', /nonce/],
  ])('row 32: a challenge with %s gets no proof', async (_what, challenge, cause) => {
    const outcome = await send(`${upTo(challenge)}C: *\nS: 501 ok\nC: QUIT`, pencil)
    expect(outcome).toMatchObject({ fate: 'deferred', phase: 'auth', status: '4.7.0' })
    expect(outcome?.cause).toMatch(cause)
  })
  test.each(['504 5.5.4 not this', '534 5.7.9 too weak'])('that is refused as "%s" gives way to PLAIN', async reply => {
    const plain = `C: AUTH PLAIN ${base64('\0user\0pencil')}\nS: 235 ok\n`
    const outcome = await send(
      `${hello('PLAIN SCRAM-SHA-256')}C: AUTH SCRAM-SHA-256 ${base64(rfc7677.first)}\nS: ${reply}\n${plain}${rest}`,
      pencil,
    )
    expect(outcome?.fate).toBe('relayed')
  })
  test('that is refused for the password is refused; nothing weaker is tried', async () => {
    const outcome = await send(`${proved}S: 535 5.7.8 wrong\nC: QUIT`, pencil)
    expect(outcome).toMatchObject({ fate: 'deferred', phase: 'auth', reply: { code: 535 } })
  })
})

/** A server that knows the password, and checks what the exchange is bound to. */
const scramServer =
  (o: { readonly offers: string; readonly binding?: Uint8Array; readonly header: string }): PeerScript =>
  async (peer: ScriptedPeer) => {
    peer.binding = o.binding
    const step = async (reply: string): Promise<string> => {
      peer.say(`${reply}\r\n`)
      return (await peer.line()) ?? ''
    }
    await step('220 mx')
    await step('250-mx\r\n250 STARTTLS')
    await step('220 go')
    const [, name = '', first = ''] = (await step(`250-mx\r\n250 AUTH ${o.offers}`)).split(' ')
    expect(name).toBe(o.header.startsWith('p=') ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256')
    expect(text(first).startsWith(o.header)).toBe(true)
    const bare = text(first).slice(o.header.length)
    const challenge = `r=${/r=(.*)/.exec(bare)?.[1]}srv,s=${base64('salt')},i=4096`
    const final = text(await step(`334 ${base64(challenge)}`))
    const unproved = final.slice(0, final.indexOf(',p='))
    const bound = Buffer.concat([
      Buffer.from(o.header),
      o.header.startsWith('p=') ? Buffer.from(o.binding!) : Buffer.of(),
    ])
    expect(unproved.startsWith(`c=${base64(bound)},r=`)).toBe(true)
    const key = pbkdf2Sync('pencil', 'salt', 4096, 32, 'sha256')
    const hmac = (k: Uint8Array, t: string): Buffer => createHmac('sha256', k).update(t).digest()
    const message = `${bare},${challenge},${unproved}`
    const clientKey = hmac(key, 'Client Key')
    const mask = hmac(createHash('sha256').update(clientKey).digest(), message)
    const proof = Buffer.from(clientKey.map((octet, i) => octet ^ (mask[i] ?? 0)))
    expect(final.slice(unproved.length + 3)).toBe(base64(proof))
    expect(await step(`334 ${base64(`v=${base64(hmac(hmac(key, 'Server Key'), message))}`)}`)).toBe('')
    expect(await step('235 ok')).toMatch(/^MAIL/)
    for (const reply of ['250 ok', '250 ok']) await step(reply)
    peer.say('354 go\r\n')
    await peer.content()
    await step('250 ok')
  }

describe('SCRAM-SHA-256-PLUS (RFC 9266)', () => {
  const binding = Buffer.alloc(32, 7)
  test('is preferred, and bound to the connection', async () => {
    const server = scramServer({ offers: 'SCRAM-SHA-256 SCRAM-SHA-256-PLUS', binding, header: 'p=tls-exporter,,' })
    expect((await send(server, pencil, undefined))?.fate).toBe('relayed')
  })
  test('row 18: taken out of the offer by somebody between us shows in what is said', async () => {
    const server = scramServer({ offers: 'SCRAM-SHA-256', binding, header: 'y,,' })
    expect((await send(server, pencil, undefined))?.fate).toBe('relayed')
  })
  test('is not used where the connection has nothing to bind to', async () => {
    const server = scramServer({ offers: 'SCRAM-SHA-256-PLUS SCRAM-SHA-256', header: 'n,,' })
    expect((await send(server, pencil, undefined))?.fate).toBe('relayed')
  })
})

const source = (...tokens: readonly (string | Error)[]): TokenSource & { readonly bad: string[] } => {
  const left = [...tokens]
  const bad: string[] = []
  return {
    bad,
    async token() {
      const next = left[0]
      if (next instanceof Error || next === undefined) throw next ?? new Error('none')
      return next
    },
    refused(token) {
      bad.push(token)
      left.shift()
    },
  }
}
const bearer = (token: string): string =>
  `C: AUTH OAUTHBEARER ${base64(`n,a=a=3Db=2Cc@x,\x01host=mx.example.org\x01port=25\x01auth=Bearer ${token}\x01\x01`)}\n`
const xoauth2 = (token: string): string => `C: AUTH XOAUTH2 ${base64(`user=a=b,c@x\x01auth=Bearer ${token}\x01\x01`)}\n`
const user = 'a=b,c@x'

describe('OAuth', () => {
  test('OAUTHBEARER is preferred to XOAUTH2 (RFC 7628 §3.1)', async () => {
    const script = `${hello('XOAUTH2 OAUTHBEARER PLAIN')}${bearer('t1')}S: 235 ok\n${rest}`
    expect((await send(script, { user, tokens: source('t1') }))?.fate).toBe('relayed')
  })
  test('XOAUTH2 does where there is nothing else', async () => {
    const script = `${hello('XOAUTH2 PLAIN')}${xoauth2('t1')}S: 235 ok\n${rest}`
    expect((await send(script, { user, tokens: source('t1') }))?.fate).toBe('relayed')
  })
  test('a token too long for a line waits for its 334', async () => {
    const long = 't'.repeat(2000)
    const response = base64(`user=${user}\x01auth=Bearer ${long}\x01\x01`)
    const script = `${hello('XOAUTH2')}C: AUTH XOAUTH2\nS: 334 \nC: ${response}\nS: 235 ok\n${rest}`
    expect((await send(script, { user, tokens: source(long) }))?.fate).toBe('relayed')
  })
  test.each([
    ['OAUTHBEARER', bearer, base64('\x01')],
    ['XOAUTH2', xoauth2, ''],
  ] as const)('%s: a token that is refused is replaced once', async (name, line, dummy) => {
    const error = `S: 334 ${base64('{"status":"401"}')}\nC: ${dummy}\nS: 535 5.7.8 expired\n`
    const tokens = source('t1', 't2', 't3')
    const good = `${hello(name)}${line('t1')}${error}${line('t2')}S: 235 ok\n${rest}`
    expect((await send(good, { user, tokens }))?.fate).toBe('relayed')
    expect(tokens.bad).toEqual(['t1'])
    const bad = `${hello(name)}${line('t1')}${error}${line('t2')}${error}C: QUIT`
    expect(await send(bad, { user, tokens: source('t1', 't2', 't3') })).toMatchObject({
      fate: 'deferred',
      phase: 'auth',
      reply: { code: 535 },
      cause: expect.stringMatching(/ \(401\)$/),
    })
  })
  test.each(['not json', '{"status":"a\\r\\nb"}', '{"status":7}', 'null', '{"status":"'.padEnd(2000, 'x')])(
    'row 44: an error that says %j is not repeated',
    async said => {
      const error = `S: 334 ${base64(said)}\nC: ${base64('\x01')}\nS: 535 5.7.8 expired\n`
      const bad = `${hello('OAUTHBEARER')}${bearer('t1')}${error}C: QUIT`
      expect((await send(bad, { user, tokens: source('t1', 't1') }))?.cause).toMatch(/expired"?$/)
    },
  )
  test('without a token the message waits', async () => {
    expect(
      await send(`${hello('XOAUTH2')}C: QUIT`, { user, tokens: source(new Error('no route to host')) }),
    ).toMatchObject({
      fate: 'deferred',
      phase: 'auth',
      cause: 'no access token: no route to host',
    })
  })
  test('a token is not sent as a password, nor in clear', async () => {
    const tokens = source('t1')
    expect(await send(`${hello('PLAIN LOGIN')}C: QUIT`, { user, tokens })).toMatchObject({ status: '4.7.4' })
    const b = bench(['S: 220 mx\nC: EHLO client.example\nS: 250-mx\nS: 250 AUTH XOAUTH2\nC: QUIT'])
    const may = target({ ...tls('may'), credentials: { user, tokens } })
    expect((await b.client.send(mail(), may, never))[0]).toMatchObject({ status: '4.7.11' })
  })
})

describe('EXTERNAL', () => {
  test('says nothing of whom, where the certificate does (RFC 4422 §A)', async () => {
    const script = `${hello('PLAIN EXTERNAL')}C: AUTH EXTERNAL =\nS: 235 ok\n${rest}`
    expect((await send(script, { external: true }))?.fate).toBe('relayed')
  })
  test('names whom we act as', async () => {
    const script = `${hello('EXTERNAL')}C: AUTH EXTERNAL ${base64('ann@example.org')}\nS: 235 ok\n${rest}`
    expect((await send(script, { external: true, user: 'ann@example.org' }))?.fate).toBe('relayed')
  })
  test('refused is for now: the certificate is ours to put right', async () => {
    const script = `${hello('EXTERNAL')}C: AUTH EXTERNAL =\nS: 535 5.7.8 who?\nC: QUIT`
    expect(await send(script, { external: true })).toMatchObject({
      fate: 'deferred',
      phase: 'auth',
      reply: { code: 535 },
    })
  })
  test('not offered, as to those whose certificate is not trusted, is no log-in, and no password goes instead', async () => {
    expect(await send(`${hello('PLAIN LOGIN')}C: QUIT`, { external: true })).toMatchObject({ status: '4.7.4' })
  })
  test('row 44: a peer that goes on asking is given up', async () => {
    const script = `${hello('EXTERNAL')}C: AUTH EXTERNAL =\nS: 334 \nC: *\nS: 501 cancelled\nC: QUIT`
    expect(await send(script, { external: true })).toMatchObject({ fate: 'deferred', phase: 'auth' })
  })
  test('connections are not shared between certificates', async () => {
    const pair = (certPem: string) => ({ certPem, keyPem: 'k' })
    const other = (certPem: string): Target =>
      target({ tls: { ...tls('verify').tls, certificate: pair(certPem) }, credentials: { external: true } })
    const script = `${hello('EXTERNAL')}C: AUTH EXTERNAL =\nS: 235 ok\n${rest}`
    const b = bench([script, script])
    for (const certPem of ['one', 'two'])
      expect((await b.client.send(mail(), other(certPem), never))[0]?.fate).toBe('relayed')
    expect(b.network.peers.map(peer => peer.needs[0]?.certificate?.certPem)).toEqual(['one', 'two'])
  })
})
