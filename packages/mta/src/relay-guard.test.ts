import { parsePath } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { pass, permit } from '@posthorn/plugin'
import { relayDenied } from '@posthorn/reply'
import { describe, expect, it } from 'vitest'
import { atRcpt, chainOf, mailbox } from '../test/ask.ts'
import { relayGuard } from './relay-guard.ts'
import type { RelayGuardOptions } from './relay-guard.ts'

const isLocalDomain = (domain: string): boolean => domain === 'us.example' || domain === 'also.example'

const ask = async (to: string | Mailbox, over: Partial<RelayGuardOptions> = {}, ip?: string): Promise<unknown> => {
  const chain = await chainOf(relayGuard({ isLocalDomain, ...over }))
  const box = typeof to === 'string' ? mailbox(to) : to
  return chain.decide('rcpt', { to: box }, atRcpt(ip === undefined ? {} : { ip }))
}

describe('relayGuard', () => {
  it('permits recipients of our domains from anywhere', async () => {
    expect(await ask('bob@us.example')).toBe(permit)
    expect(await ask('bob@also.example')).toBe(permit)
  })
  it('is silent about other domains, and silence never relays', async () => {
    expect(await ask('bob@them.example')).toBe(pass)
  })
  it('trusts nobody by default, loopback included', async () => {
    expect(await ask('bob@them.example', {}, '127.0.0.1')).toBe(pass)
    expect(await ask('bob@them.example', {}, '::1')).toBe(pass)
  })
  it('lets trusted networks send anywhere, IPv4 within IPv6 included', async () => {
    const trusted = ['192.0.2.0/24', '2001:db8::/32', '203.0.113.5']
    for (const ip of ['192.0.2.77', '::ffff:192.0.2.77', '2001:db8::9', '203.0.113.5'])
      expect(await ask('bob@them.example', { trusted }, ip)).toBe(permit)
    for (const ip of ['192.0.3.1', '2001:db9::1', '203.0.113.6', 'nonsense', ''])
      expect(await ask('bob@them.example', { trusted }, ip)).toBe(pass)
  })
  it('says which block of the configuration cannot be read', () => {
    expect(() => relayGuard({ isLocalDomain, trusted: ['192.0.2.0/99'] })).toThrow(/192\.0\.2\.0\/99/)
    expect(() => relayGuard({ isLocalDomain, trusted: ['everyone'] })).toThrow(/everyone/)
  })
  it('takes mail for postmaster without a domain, and at our own name (RFC 5321 §4.5.1)', async () => {
    const bare = { ...mailbox('Postmaster@mx.us.example'), wire: 'Postmaster' }
    expect(await ask(bare)).toBe(permit)
    expect(await ask('postmaster@mx.us.example', { hostname: 'MX.us.example' })).toBe(permit)
    expect(await ask('POSTMASTER@us.example')).toBe(permit)
    expect(await ask('postmaster@them.example', { hostname: 'mx.us.example' })).toBe(pass)
  })

  it.each([
    ['user%them.example@us.example'],
    ['user%them@us.example'],
    ['them.example!user@us.example'],
    ['them!other!user@us.example'],
    ['"user@them.example"@us.example'],
    ['"user%them.example@us.example"@us.example'],
    ['user%them.example%us.example@us.example'],
    ['us.example!them.example!user@us.example'],
    ['"us.example!user@them.example%us.example"@us.example'],
  ])('row 36: %s, a foreign domain in a local part of ours, is refused', async to => {
    expect(await ask(to)).toEqual(relayDenied)
  })
  it.each([
    ['user@[127.0.0.1]'],
    ['user@[IPv6:::1]'],
    ['user@[IPv6:::ffff:127.0.0.1]'],
    ['user%us.example@them.example'],
    ['us.example!user@them.example'],
    ['"user@us.example"@them.example'],
  ])('row 36: %s is not ours and not permitted', async to => {
    expect(await ask(to)).toBe(pass)
    expect(await ask(to, {}, '127.0.0.1')).toBe(pass)
  })
  it('row 36: a source route is judged by where it ends, not by the hosts on the way', async () => {
    const through = parsePath('<@us.example,@also.example:bob@them.example>', { smtputf8: false })
    const to = through.ok ? through.path : null
    expect(to).not.toBeNull()
    expect(await ask(to as Mailbox)).toBe(pass)
  })
  it('row 36: a literal that is said to be ours is', async () => {
    expect(await ask('user@[192.0.2.1]', { isLocalDomain: domain => domain === '[192.0.2.1]' })).toBe(permit)
  })
  it('leaves signs that name no foreign domain to the mailboxes', async () => {
    expect(await ask('100%@us.example')).toBe(permit)
    expect(await ask('wow!@us.example', { isLocalDomain: d => isLocalDomain(d) || d === 'wow' })).toBe(permit)
    expect(await ask('bob%also.example@us.example')).toBe(permit)
  })
  it('exempts an exact mailbox of ours', async () => {
    const isMailbox = (box: Mailbox): boolean => box.local === '50%off'
    expect(await ask('50%off@us.example', { isMailbox })).toBe(permit)
    expect(await ask('60%off@us.example', { isMailbox })).toEqual(relayDenied)
  })
})
