import { expect, test } from 'vitest'
import type { Route } from '@posthorn/contracts'
import { outgoingTls } from './index.ts'

const smarthost: Extract<Route, { readonly via: 'smtp' | 'lmtp' }> = { via: 'smtp', host: 'relay.example', port: 587 }
const names = ['relay.example', 'example']
const level = (route: Route): string => {
  const need = outgoingTls(route, names)
  return `${need.level} because of ${need.because}`
}

test('mail for a domain is encrypted when the exchanger offers it, unchecked', () => {
  expect(level({ via: 'mx', domain: 'example' })).toBe('may because of opportunistic')
  expect(outgoingTls({ via: 'mx', domain: 'example' }, names).names).toEqual(names)
})

test('a hop with credentials is verified, whatever the configuration says', () => {
  for (const tls of [undefined, 'never', 'may', 'encrypt', 'verify'] as const)
    expect(level({ ...smarthost, credentials: 'relay', ...(tls === undefined ? {} : { tls }) })).toBe(
      'verify because of credentials',
    )
})

test('a configured hop gets the configured level', () => {
  for (const tls of ['never', 'may', 'encrypt', 'verify'] as const)
    expect(level({ ...smarthost, tls })).toBe(`${tls} because of configuration`)
  expect(level(smarthost)).toBe('may because of opportunistic')
})

test('a hop with TLS from the first byte is never in clear', () => {
  expect(level({ ...smarthost, implicitTls: true })).toBe('encrypt because of configuration')
})

test('a transport that is not SMTP needs no TLS', () => {
  expect(level({ via: 'transport', name: 'pipe', arg: '' })).toBe('never because of configuration')
})
