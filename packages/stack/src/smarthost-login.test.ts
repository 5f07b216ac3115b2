import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { manualClock } from '@posthorn/testkit'
import { selfSigned } from '@posthorn/tls-policy'
import { authoritiesOf, certificateOf, credentialsOf, smarthostLogin } from './smarthost-login.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})
const hop = { host: 'relay.test', port: 587 }
const oauth2 = { tokenUrl: 'https://login.test/', clientId: 'c', refreshToken: { env: 'PH_R' } }

test('the secrets of a smarthost come from the environment, and a missing one is named', () => {
  const auth = { oauth2: { ...oauth2, clientSecret: { env: 'PH_S' } } }
  vi.stubEnv('PH_R', 'r1')
  expect(() => smarthostLogin({ ...hop, user: 'u', auth })).toThrow(
    'outbound.smarthost.auth.oauth2.clientSecret: the environment has no PH_S',
  )
  vi.stubEnv('PH_S', 's1')
  expect(smarthostLogin({ ...hop, user: 'u', auth })).toEqual({
    user: 'u',
    oauth2: { tokenUrl: 'https://login.test/', clientId: 'c', clientSecret: 's1', refreshToken: 'r1' },
  })
})
test('the client gets a password, a source of tokens, or nothing', () => {
  const clock = manualClock()
  vi.stubEnv('PH_R', 'r1')
  expect(credentialsOf(hop, clock)).toBeUndefined()
  expect(credentialsOf({ ...hop, user: 'u', password: { env: 'PH_R' } }, clock)).toEqual({ user: 'u', password: 'r1' })
  expect(credentialsOf({ ...hop, user: 'u', auth: { oauth2 } }, clock)).toMatchObject({ user: 'u', tokens: {} })
})

test('the authorities of a smarthost come from a PEM file, and a file without any is refused with its name', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-ca-'))
  try {
    const [one, two] = [await selfSigned({ names: ['a.test'] }), await selfSigned({ names: ['b.test'] })]
    const ca = join(directory, 'ca.pem')
    writeFileSync(ca, `# ours\n${one.certPem}${two.certPem}`)
    expect(authoritiesOf(hop)).toBeUndefined()
    expect(authoritiesOf({ ...hop, ca })).toEqual([one.certPem.trim(), two.certPem.trim()])
    writeFileSync(ca, 'nonsense')
    expect(() => authoritiesOf({ ...hop, ca })).toThrow(
      /^outbound\.smarthost\.ca: .*ca\.pem can't be used: it has no cert/,
    )
    expect(() => authoritiesOf({ ...hop, ca: join(directory, 'none') })).toThrow(/ENOENT/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a certificate to log in by comes from two PEM files that belong together', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-pair-'))
  try {
    const [one, two] = [await selfSigned({ names: ['a.test'] }), await selfSigned({ names: ['b.test'] })]
    const certificate = { cert: join(directory, 'c.pem'), key: join(directory, 'k.pem') }
    expect(certificateOf(hop)).toBeUndefined()
    expect(() => certificateOf({ ...hop, certificate })).toThrow(/^outbound\.smarthost\.certificate: .*ENOENT/)
    writeFileSync(certificate.cert, one.certPem)
    writeFileSync(certificate.key, two.keyPem)
    expect(() => certificateOf({ ...hop, certificate })).toThrow(/k\.pem does not belong to .*c\.pem/)
    writeFileSync(certificate.key, one.keyPem)
    expect(certificateOf({ ...hop, certificate })).toEqual({ certPem: one.certPem, keyPem: one.keyPem })
    const external = { ...hop, certificate, auth: 'external' } as const
    expect(credentialsOf(external, manualClock())).toEqual({ external: true })
    expect(credentialsOf({ ...external, user: 'u' }, manualClock())).toEqual({ external: true, user: 'u' })
  } finally {
    rmSync(directory, { recursive: true })
  }
})
