import { connect as dialTls } from 'node:tls'
import { describe, expect, test } from 'vitest'
import type { Authenticator, PeerCertificate } from '@posthorn/contracts'
import { ScramClient, verifierOf } from './scram-client.ts'
import { clientPair, testTls, world, type Client, type World, type WorldOptions } from './world.ts'

const seen: PeerCertificate[] = []
const authenticator: Authenticator = {
  password: async (user, password) => (user === 'ann' && password === 'secret' ? { user } : undefined),
  scram: async user => {
    if (user === 'broken') throw new Error('no connection to the directory at 10.0.0.1')
    return user.toLowerCase() === 'ann' ? verifierOf('secret', 'ann') : undefined
  },
  scramIterations: 4096,
  token: async (user, token) => (token === 'good' ? { user } : undefined),
  certificate: async (user, certificate) => {
    seen.push(certificate)
    return certificate.commonName === 'ann' && (user === '' || user === 'ann') ? { user: 'ann' } : undefined
  },
}
const submission = (o: WorldOptions['overrides'] = {}): Promise<World> =>
  world({ service: 'submission', overrides: { authenticator, ...o } })

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const text = (reply: string | undefined): string => Buffer.from(reply?.slice(4) ?? '', 'base64').toString()
const greet = async (client: Client): Promise<string | undefined> => {
  await client.reply()
  return (await client.ask('EHLO client.test'))[0]
}
const secured = async ({ dial }: World): Promise<Client> => {
  const client = dial()
  await greet(client)
  await client.ask('STARTTLS')
  await client.secure()
  return client
}
/** AUTH from the first word to the last reply. */
const login = async (client: Client, mechanism: string, scram: ScramClient): Promise<string | undefined> => {
  const [challenge] = await client.ask(`AUTH ${mechanism} ${base64(scram.first())}`)
  if (challenge?.startsWith('334 ') !== true) return challenge
  const [last] = await client.ask(base64(scram.final(text(challenge))))
  if (last?.startsWith('334 ') !== true) return last
  expect(scram.trusts(text(last))).toBe(true)
  return (await client.ask(''))[0]
}
const ann = { user: 'ann', password: 'secret' }
const plusHeader = 'p=tls-exporter,,'

describe('what is offered', () => {
  test('is what the authenticator can work with, on TLS that can be bound to', async () => {
    const client = await secured(await submission())
    expect((await client.ask('EHLO client.test'))[0]).toContain(
      'AUTH PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256 OAUTHBEARER XOAUTH2',
    )
  })
  test('in clear is none that is bound to TLS', async () => {
    const { dial } = await submission({ authRequiresTls: false })
    const client = dial()
    expect(await greet(client)).toContain('AUTH PLAIN LOGIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2')
    expect(await client.ask('AUTH SCRAM-SHA-256-PLUS', 'AUTH EXTERNAL')).toEqual([
      '504 5.5.4 Authentication mechanism not offered',
      '504 5.5.4 Authentication mechanism not offered',
    ])
  })
  test('may be chosen, but not what cannot work', async () => {
    const client = await secured(await submission({ mechanisms: ['SCRAM-SHA-256'] }))
    expect((await client.ask('EHLO client.test'))[0]).toMatch(/AUTH SCRAM-SHA-256(?:\||$)/)
    await expect(
      submission({ mechanisms: ['SCRAM-SHA-256'], authenticator: { password: async () => undefined } }),
    ).rejects.toThrow('the authenticator of service submission cannot work with SCRAM-SHA-256')
  })
})

test('SCRAM-SHA-256 logs in, under the name the store has, and the next mail is that user’s', async () => {
  const all = await submission()
  const client = await secured(all)
  await client.ask('EHLO client.test')
  expect(await login(client, 'SCRAM-SHA-256', new ScramClient({ ...ann, user: 'Ann' }))).toMatch(/^235 /)
  await client.ask('MAIL FROM:<ann@example.org>', 'RCPT TO:<bob@example.org>')
  await client.ask('DATA')
  await client.send('a: b\r\n\r\n.\r\n')
  expect(await client.reply()).toMatch(/^250 /)
  expect(all.intake.taken[0]?.transaction.client.user).toBe('ann')
  expect(all.events.find(event => event.name === 'auth.ok')?.fields).toMatchObject({ mechanism: 'SCRAM-SHA-256' })
  expect(all.trace.join('\n')).not.toMatch(/C: .*(?:biws|cD10bHMt)/)
})

test('SCRAM-SHA-256-PLUS logs in on the TLS connection it speaks of, and on no other', async () => {
  const client = await secured(await submission())
  await client.ask('EHLO client.test')
  const other = await secured(await submission())
  const foreign = { header: plusHeader, binding: other.channelBinding() }
  expect(await login(client, 'SCRAM-SHA-256-PLUS', new ScramClient({ ...ann, ...foreign }))).toMatch(/^535 /)
  const own = { header: plusHeader, binding: client.channelBinding() }
  expect(await login(client, 'SCRAM-SHA-256-PLUS', new ScramClient({ ...ann, ...own }))).toMatch(/^235 /)
})

describe('row 32: SCRAM', () => {
  const begin = async (): Promise<{ client: Client; all: World }> => {
    const all = await submission()
    const client = await secured(all)
    await client.ask('EHLO client.test')
    return { client, all }
  }
  test('a wrong password and a user who is not there are told apart by nothing', async () => {
    const { client } = await begin()
    const wrong = await login(client, 'SCRAM-SHA-256', new ScramClient({ user: 'ann', password: 'x' }))
    const nobody = await login(client, 'SCRAM-SHA-256', new ScramClient({ user: 'nobody', password: 'x' }))
    expect(wrong).toBe('535 5.7.8 Authentication credentials invalid')
    expect(nobody).toBe(wrong)
  })
  test('an answer of an earlier exchange is worth nothing', async () => {
    const { client } = await begin()
    const scram = new ScramClient({ ...ann, nonce: 'same' })
    const first = base64(scram.first())
    const [challenge] = await client.ask(`AUTH SCRAM-SHA-256 ${first}`)
    const answer = base64(scram.final(text(challenge)))
    await client.ask('*')
    const [again] = await client.ask(`AUTH SCRAM-SHA-256 ${first}`)
    expect(again).not.toBe(challenge)
    expect(await client.ask(answer)).toEqual(['535 5.7.8 Authentication credentials invalid'])
  })
  test('bad base64, an early star, and what cannot be read end the exchange, and the next one works', async () => {
    const { client } = await begin()
    const first = base64(new ScramClient(ann).first())
    expect(await client.ask('AUTH SCRAM-SHA-256 !!!')).toEqual(['501 5.5.2 Cannot read the authentication response'])
    expect(await client.ask('AUTH SCRAM-SHA-256', '*')).toEqual(['334 ', '501 5.7.0 Authentication cancelled'])
    await client.ask(`AUTH SCRAM-SHA-256 ${first}`)
    expect(await client.ask('!!!')).toEqual(['501 5.5.2 Cannot read the authentication response'])
    expect(await login(client, 'SCRAM-SHA-256', new ScramClient(ann))).toMatch(/^235 /)
  })
  test('a star in the place of the last word is no log-in', async () => {
    const { client } = await begin()
    const scram = new ScramClient(ann)
    const [challenge] = await client.ask(`AUTH SCRAM-SHA-256 ${base64(scram.first())}`)
    await client.ask(base64(scram.final(text(challenge))))
    expect(await client.ask('*')).toEqual(['501 5.7.0 Authentication cancelled'])
    expect(await client.ask('AUTH PLAIN')).toEqual(['334 '])
  })
  test('guesses are counted', async () => {
    const { client } = await begin()
    const replies: (string | undefined)[] = []
    for (let i = 0; i < 5; i += 1)
      replies.push(await login(client, 'SCRAM-SHA-256', new ScramClient({ user: 'ann', password: `${i}` })))
    expect(replies.at(-1)).toMatch(/^421 4\.7\.0 /)
    expect(await client.closed()).toBe(true)
  })
  test('a store that fails is a temporary failure that tells nothing', async () => {
    const { client } = await begin()
    expect(await login(client, 'SCRAM-SHA-256', new ScramClient({ user: 'broken', password: 'x' }))).toBe(
      '454 4.7.0 Temporary authentication failure',
    )
  })
})

test('who was found a while ago is not asked about again, and who was not is', async () => {
  const asked: string[] = []
  const wrapped: Authenticator = {
    password: async (user, password) => {
      asked.push(password)
      return password === 'secret' ? { user } : undefined
    },
    recent: (user, password) => (password === 'known' ? { user: `${user}@example.org` } : undefined),
  }
  const { dial, events } = await submission({ authenticator: wrapped, authRequiresTls: false })
  const plain = async (password: string): Promise<string | undefined> => {
    const client = dial()
    await greet(client)
    return (await client.ask(`AUTH PLAIN ${base64(`\0ann\0${password}`)}`))[0]
  }
  expect(await plain('known')).toMatch(/^235 /)
  expect(await plain('secret')).toMatch(/^235 /)
  expect(await plain('wrong')).toMatch(/^535 /)
  expect(asked).toEqual(['secret', 'wrong'])
  expect(events.filter(({ name }) => name === 'auth.ok').map(({ fields }) => fields['user'])).toEqual([
    'ann@example.org',
    'ann',
  ])
})

test('a token logs in; one that is refused is told so, and then refused', async () => {
  const client = await secured(await submission())
  await client.ask('EHLO client.test')
  const message = (token: string): string => base64(`user=ann\x01auth=Bearer ${token}\x01\x01`)
  const [told] = await client.ask(`AUTH XOAUTH2 ${message('bad')}`)
  expect(JSON.parse(text(told))).toMatchObject({ status: '401' })
  expect(await client.ask('')).toEqual(['535 5.7.8 Authentication credentials invalid'])
  expect((await client.ask(`AUTH XOAUTH2 ${message('good')}`))[0]).toMatch(/^235 /)
})

test('a client certificate logs in by EXTERNAL, which is offered to nobody without one', async () => {
  const pair = clientPair('ann')
  const all = await submission({ implicitTls: true, tls: { ...testTls, clientCertificates: { ca: [pair.cert] } } })
  const { port } = await all.listener.listen({ host: '127.0.0.1', port: 0 })
  const talk = (certificate: object, lines: readonly string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      let said = ''
      const socket = dialTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...certificate })
      socket.on('data', chunk => {
        said += String(chunk)
        const next = /\n\d{3} [^\n]*\n$|^\d{3} [^\n]*\n$/.test(said) ? lines[turn++] : undefined
        if (next !== undefined) socket.write(`${next}\r\n`)
      })
      let turn = 0
      socket.on('error', reject)
      socket.on('close', () => resolve(said))
    })
  const without = await talk({}, ['EHLO a', 'AUTH EXTERNAL =', 'QUIT'])
  expect(without).not.toContain('EXTERNAL')
  expect(without).toContain('504 5.5.4')
  const wrong = await talk(pair, ['EHLO a', `AUTH EXTERNAL ${base64('bob')}`, 'QUIT'])
  expect(wrong).toMatch(/AUTH .*EXTERNAL\r\n/)
  expect(wrong).toContain('535 5.7.8')
  expect(await talk(pair, ['EHLO a', 'AUTH EXTERNAL =', 'QUIT'])).toContain('235 2.7.0')
  expect(seen.at(-1)).toMatchObject({
    trusted: true,
    commonName: 'ann',
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  const stranger = clientPair('stranger')
  expect(await talk(stranger, ['EHLO a', 'AUTH EXTERNAL =', 'QUIT'])).toContain('235 2.7.0')
  expect(seen.at(-1)?.trusted).toBe(false)
  await all.listener.close()
})
