import { describe, expect, test } from 'vitest'
import { checkConfig, ConfigError } from './config.ts'

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

  test('shows every fault in one run, each with what was found', () => {
    const text = problems({ hostname: 'a b', limits: { messageSize: '5 MB' }, trusted: ['1.2.3.4'] })
    expect(text).toContain('hostname: "a b" is not a domain name; found "a b"')
    expect(text).toContain('limits.messageSize: "5 MB" is not a size such as "512K", "50M" or "2G"')
    expect(text).toContain('trusted[0]: ')
  })

  test('refuses credentials for a next hop over anything but a verified connection', () => {
    const smarthost = { host: 'relay.test', user: 'u', password: { env: 'P' }, tls: 'may' }
    expect(problems({ hostname: 'x.test', outbound: { smarthost } })).toContain('outbound.smarthost.tls: ')
  })

  test('refuses an alias in a domain that is not ours', () => {
    expect(problems({ hostname: 'x.test', domains: ['x.test'], aliases: { 'a@y.test': 'b' } })).toContain(
      'aliases.a@y.test: ',
    )
  })
})
