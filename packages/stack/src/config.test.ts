import { describe, expect, test } from 'vitest'
import { defaultLimits } from '@posthorn/smtp-listener'
import { checkConfig, ConfigError } from './config.ts'
import { limitsOf } from './limits.ts'
import { limitTexts, siteLimits } from './site-limits.ts'

const problems = (input: unknown): string => {
  try {
    checkConfig(input)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

describe('a configuration', () => {
  test('needs only a hostname, and the rest has defaults', () => {
    const c = checkConfig({ hostname: 'MX.Example.org' })
    expect(c.hostname).toBe('mx.example.org')
    expect(c.retry.expire).toBe(5 * 86_400_000)
    expect(c.trusted).toEqual([])
    expect(c.listeners.lmtp).toBe(false)
  })

  test('says of an unknown key where it is and which keys are allowed there', () => {
    expect(problems({ hostname: 'x.test', limits: { recipents: 5 } })).toMatch(
      /^limits\.recipents: unknown key; allowed here: messageSize, .*recipients/,
    )
    expect(problems({ hostname: 'x.test', outbound: { smarthost: { host: 'h', prt: 1 } } })).toContain(
      'outbound.smarthost.prt: unknown key; allowed here: host, port',
    )
  })

  test('says what is allowed of TLS towards others and of the way out', () => {
    const base = { hostname: 'x.test' }
    const { outboundTls } = checkConfig({ ...base, outboundTls: { domains: { '*.Example.org': 'verify' } } })
    expect(outboundTls).toEqual({ dane: true, mtaSts: true, domains: { '*.example.org': 'verify' } })
    expect(problems({ ...base, outboundTls: { domains: { 'a b': 'verify' } } })).toContain('"*.example.org"')
    expect(problems({ ...base, outboundTls: { domains: { 'x.test': 'dane' } } })).toContain(
      '"never"|"may"|"encrypt"|"verify"',
    )
    expect(problems({ ...base, egress: { source: { ipv4: '::1' } } })).toContain('egress.source.ipv4')
    expect(problems({ ...base, egress: { proxy: { socks5: { host: 'h', port: 1080, user: 'u' } } } })).toBe(
      'egress.proxy.socks5: user and password go together',
    )
  })

  test('shows every fault in one run, each with what was found', () => {
    const text = problems({ hostname: 'a b', limits: { messageSize: '5 MB' }, trusted: ['1.2.3.4'] })
    expect(text).toContain('hostname: "a b" is not a domain name; found "a b"')
    expect(text).toContain('limits.messageSize: "5 MB" is not a size such as "512K", "50M" or "2G"')
    expect(text).toContain('trusted[0]: is not a network such as "192.0.2.0/24"; found "1.2.3.4"')
  })

  test('bounds what clients may cost, with the listener’s own defaults', () => {
    const { mx, lmtp, submission } = limitsOf(checkConfig({ hostname: 'x.test' }))
    // A thousand connections, where a listener of its own takes more; and users may have mail wait.
    expect({ ...defaultLimits, ...mx }).toEqual({ ...defaultLimits, sessions: 1000 })
    expect({ ...defaultLimits, ...lmtp }).toEqual({ ...defaultLimits, sessions: 1000 })
    expect({ ...submission, futureReleaseMs: undefined }).toEqual({ ...lmtp, futureReleaseMs: undefined })
    const changed = limitsOf(
      checkConfig({
        hostname: 'x.test',
        limits: { greetDelay: '6s', tarpit: '1s', minimumRate: '1K', errors: 5 },
        timeouts: { command: '2m', answer: '5m' },
      }),
    )
    const times = { tarpitMs: 1000, messageRate: 1024, errors: 5, commandMs: 120_000, answerMs: 300_000 }
    expect(changed.mx).toMatchObject({ ...times, greetDelayMs: 6000 })
    expect(changed.submission).toMatchObject(times)
    expect(changed.submission).not.toHaveProperty('greetDelayMs')
  })
  test('says of a limit or time that makes no sense what is allowed', () => {
    const wrong = (input: object): string => problems({ hostname: 'x.test', ...input })
    expect(wrong({ limits: { greetDelay: '2m' } })).toContain('limits.greetDelay: is longer than "60s"')
    expect(wrong({ limits: { tarpit: 'slow' } })).toContain('limits.tarpit: "slow" is not a duration such as "30s"')
    expect(wrong({ limits: { errors: 0 } })).toMatch(/^limits\.errors: .*1.*; found 0$/)
    expect(wrong({ limits: { minimumRate: '-1' } })).toContain('limits.minimumRate: "-1" is not a size')
    expect(wrong({ timeouts: { command: '10ms' } })).toContain('timeouts.command: is shorter than "1s"')
    expect(wrong({ timeouts: { worker: '2d' } })).toContain('timeouts.worker: is longer than "1d"')
    expect(wrong({ timeouts: { comand: '5m' } })).toContain('timeouts.comand: unknown key; allowed here: command, data')
    expect(wrong({ timeouts: { stress: '6m' } })).toContain('timeouts.stress: is longer than timeouts.command')
  })

  test('says who may ask for a time to be delivered by, and for which', () => {
    const check = (deliverBy?: object): unknown =>
      checkConfig({ hostname: 'x.test', ...(deliverBy && { deliverBy }) }).deliverBy
    expect(check()).toEqual({ offer: 'users', minimum: 0 })
    expect(check({ offer: 'everyone', minimum: '4m' })).toEqual({ offer: 'everyone', minimum: 240_000 })
    const wrong = (deliverBy: object): string => problems({ hostname: 'x.test', deliverBy })
    expect(wrong({ offer: 'trusted' })).toContain('deliverBy.offer: ')
    expect(wrong({ offer: 'trusted' })).toContain('"off"|"users"|"everyone"')
    expect(wrong({ minimum: '20000d' })).toContain('deliverBy.minimum: is longer than')
    expect(wrong({ least: '4m' })).toContain('deliverBy.least: unknown key; allowed here: offer, minimum')
  })

  test('says who may ask by ETRN for the mail of which domains', () => {
    const etrn = { 'Branch.example': ['192.0.2.0/24', 'branch@example.org'] }
    expect(checkConfig({ hostname: 'x.test', etrn }).etrn).toEqual({ 'branch.example': etrn['Branch.example'] })
    expect(problems({ hostname: 'x.test', etrn: { 'branch.example': ['a/b'] } })).toContain(
      'etrn.branch.example[0]: is neither a network such as "192.0.2.0/24" nor the name of a user; found "a/b"',
    )
    expect(problems({ hostname: 'x.test', etrn: { 'not a name': ['ann'] } })).toContain('is not a domain name')
    expect(problems({ hostname: 'x.test', vrfy: 'on' })).toContain('vrfy: ')
  })

  test('takes a database for the queue from a URL without a password, a file or the environment', () => {
    const check = (postgres: object): string => problems({ hostname: 'x.test', queue: { postgres } })
    expect(check({ url: 'postgres://mail@db.test/mail' })).toBe('')
    expect(check({ url: { env: 'MAIL_DATABASE' }, takeover: '30s', connections: 20 })).toBe('')
    expect(check({ url: 'postgres://mail:secret@db.test/mail' })).toContain('queue.postgres.url: ')
    expect(check({ url: 'mysql://mail@db.test/mail' })).toContain('queue.postgres.url: is not a URL such as')
    expect(check({ url: 'postgres://db.test/mail', takeover: '1s' })).toContain('queue.postgres.takeover: ')
    expect(problems({ hostname: 'x.test', queue: 'sqlite' })).toContain('queue: ')
  })

  test('limits receivers by site, domain, exchanger or all that is left', () => {
    const { sites } = checkConfig({
      hostname: 'x.test',
      sites: {
        'mx:example.org': { connections: 2 },
        '*.google.com': { rate: '100/min', recipients: 50, perConnection: 20 },
        '*': { rate: '5/s', chunking: false },
      },
    })
    expect(sites['*.google.com']?.rate).toEqual({ messages: 100, ms: 60_000 })
    expect(limitTexts({ sites })).toEqual([
      'mx:example.org: 2 connections',
      '*.google.com: 100/min, 50 recipients a message, 20 messages a connection',
      '*: 5/s, no BDAT',
    ])
    expect(siteLimits({ sites })['*.google.com']).toEqual({
      rate: { messages: 100, ms: 60_000 },
      recipients: 50,
      messagesPerConnection: 20,
    })
    expect(siteLimits({ sites })['*']?.chunking).toBe(false)
  })

  test('says what is wrong with a limit, and what is allowed', () => {
    const check = (sites: object): string => problems({ hostname: 'x.test', sites })
    expect(check({ '*.google.com': { rate: '100 per minute' } })).toContain(
      'sites.*.google.com.rate: "100 per minute" is not a rate such as "5/s", "100/min" or "2000/h"',
    )
    expect(check({ 'a b': { connections: 1 } })).toMatch(/^sites\.a b: .*is not a site such as "mx:example\.org"/)
    expect(check({ 'x.test': {} })).toContain('sites.x.test: limits nothing: give it connections, rate')
    expect(check({ 'x.test': { conections: 1 } })).toContain('unknown key; allowed here: connections, rate, recipients')
    expect(check({ 'x.test': { connections: 0 } })).toContain('sites.x.test.connections: ')
    expect(check({ 'x.test': { rate: '0/s' } })).toContain('is not a rate such as')
  })

  test('refuses credentials for a next hop over anything but a verified connection', () => {
    const smarthost = { host: 'relay.test', user: 'u', password: { env: 'P' }, tls: 'may' }
    expect(problems({ hostname: 'x.test', outbound: { smarthost } })).toContain('outbound.smarthost.tls: ')
  })

  test('takes tokens in place of a password, not beside it, and from an https endpoint only', () => {
    const oauth2 = { tokenUrl: 'https://login.test/token', clientId: 'c', refreshToken: { env: 'R' } }
    const check = (o: object): string =>
      problems({
        hostname: 'x.test',
        outbound: { smarthost: { host: 'relay.test', user: 'u', auth: { oauth2 }, ...o } },
      })
    expect(check({})).toBe('')
    expect(check({ password: { env: 'P' } })).toContain('password and auth.oauth2 exclude each other')
    expect(check({ user: undefined })).toContain('outbound.smarthost.user: ')
    expect(check({ auth: 'password' })).toContain('user and password go together')
    expect(check({ auth: { oauth2: { ...oauth2, tokenUrl: 'http://login.test/' } } })).toContain(
      'outbound.smarthost.auth.oauth2.tokenUrl: is not an https URL',
    )
    expect(check({ auth: { oauth2: { ...oauth2, refreshToken: 'secret' } } })).toContain('refreshToken')
  })

  test('takes a certificate with its key to log in by, and no password beside it', () => {
    const certificate = { cert: 'c.pem', key: 'k.pem' }
    const check = (o: object): string =>
      problems({
        hostname: 'x.test',
        outbound: { smarthost: { host: 'relay.test', certificate, auth: 'external', ...o } },
      })
    expect(check({})).toBe('')
    expect(check({ user: 'u' })).toBe('')
    expect(check({ auth: undefined, tls: 'encrypt' })).toBe('')
    expect(check({ auth: undefined, user: 'u', password: { env: 'P' } })).toBe('')
    expect(check({ user: 'u', password: { env: 'P' } })).toContain('password and auth: "external" exclude each other')
    expect(check({ certificate: undefined })).toContain(
      'outbound.smarthost.certificate: is needed with auth: "external"',
    )
    expect(check({ certificate: { cert: 'c.pem' } })).toContain('outbound.smarthost.certificate.key')
    expect(check({ tls: 'may' })).toContain(
      'outbound.smarthost.tls: credentials are sent over a verified connection only',
    )
    expect(check({ auth: undefined, tls: 'never' })).toContain(
      'outbound.smarthost.tls: the certificate is shown under TLS',
    )
  })

  test('refuses an alias in a domain that is not ours', () => {
    expect(problems({ hostname: 'x.test', domains: ['x.test'], aliases: { 'a@y.test': 'b' } })).toContain(
      'aliases.a@y.test: ',
    )
  })
})
