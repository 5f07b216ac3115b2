import { describe, expect, it } from 'vitest'
import { definePlugin } from '@posthorn/plugin'
import { atRcpt, chainOf, mailbox } from '../test/ask.ts'
import { remoteDomains } from './remote-domains.ts'
import type { RemoteDomainsOptions } from './remote-domains.ts'

const resolve = async (to: string, over: Partial<RemoteDomainsOptions> = {}): Promise<unknown> => {
  const chain = await chainOf(remoteDomains({ isLocalDomain: domain => domain === 'us.example', ...over }))
  return chain.claim('resolve', { to: mailbox(to) }, atRcpt())
}

describe('remoteDomains', () => {
  it('has nothing to say of our domains', async () => {
    expect(await resolve('bob@us.example')).toBeUndefined()
    expect(await resolve('bob@us.example', { trap: true })).toBeUndefined()
  })
  it('sends others to their exchanges', async () => {
    expect(await resolve('bob@them.example')).toEqual({ transport: 'mx', arg: 'them.example' })
    expect(await resolve('bob@[192.0.2.1]')).toEqual({ transport: 'mx', arg: '[192.0.2.1]' })
  })
  it('sends others through the smarthost when there is one', async () => {
    const smarthost = { host: 'relay.example', port: 587 }
    expect(await resolve('bob@them.example', { smarthost })).toEqual({ transport: 'smtp', arg: 'relay.example:587' })
  })
  it('keeps everything in the trap when told so, smarthost or not', async () => {
    const smarthost = { host: 'relay.example', port: 587 }
    expect(await resolve('bob@them.example', { trap: true, smarthost })).toEqual({ transport: 'trap', arg: '' })
  })
  it('lets any other plugin answer first', async () => {
    const table = definePlugin({
      name: 'table',
      setup: () => ({ resolve: ({ to }) => (to.local === 'bob' ? { transport: 'lmtp', arg: 'box:24' } : undefined) }),
    })
    const chain = await chainOf(remoteDomains({ isLocalDomain: () => false }), table)
    expect(await chain.claim('resolve', { to: mailbox('bob@x.example') }, atRcpt())).toEqual({
      transport: 'lmtp',
      arg: 'box:24',
    })
  })
})
