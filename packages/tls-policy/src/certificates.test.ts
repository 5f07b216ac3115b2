import { X509Certificate } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { duplexPair } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { socketWire } from '@posthorn/system'
import { manualClock } from '@posthorn/testkit'
import type { CertificatePair } from '@posthorn/contracts'
import { fileCertificates, selfSigned, staticCertificates, type FileCertificates } from './index.ts'

describe('a self-signed certificate', () => {
  test('bears every name and address, for as long as asked', async () => {
    const { certPem } = await selfSigned({ names: ['mx.example.org', 'example.org', '127.0.0.1', '::1'], days: 10 })
    const certificate = new X509Certificate(certPem)
    expect(certificate.checkHost('mx.example.org')).toBe('mx.example.org')
    expect(certificate.checkHost('example.org')).toBe('example.org')
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(certificate.checkIP('::1')).toBe('::1')
    expect(certificate.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(10 * 86_400_000)
    expect(certificate.validFromDate.getTime()).toBeLessThan(Date.now())
  })
  test('is verified by a client that trusts it', async () => {
    const pair = await selfSigned({ names: ['mx.example.org'] })
    const here = { ip: '127.0.0.1', port: 0 }
    const [near, far] = duplexPair()
    const [client, server] = [near, far].map(stream => socketWire(stream, { peer: here, local: here }))
    const served = server?.secureServer({ certificates: staticCertificates(pair) })
    const facts = await client?.secure({
      level: 'verify',
      names: ['mx.example.org'],
      ca: [pair.certPem],
      because: 'test',
    })
    await served
    expect(facts?.authorized).toBe(true)
    client?.abort()
    server?.abort()
  })
  test('needs a name, and takes a long one', async () => {
    await expect(selfSigned({ names: [] })).rejects.toThrow('needs a name')
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.org`
    expect(new X509Certificate((await selfSigned({ names: [long] })).certPem).checkHost(long)).toBe(long)
  })
})

test('a static pair whose parts do not belong together is refused', async () => {
  const [a, b] = [await selfSigned({ names: ['a.example'] }), await selfSigned({ names: ['b.example'] })]
  expect(staticCertificates(a).forName('any')).toEqual(a)
  expect(() => staticCertificates({ certPem: a.certPem, keyPem: b.keyPem })).toThrow('does not belong to')
  expect(() => staticCertificates({ certPem: 'x', keyPem: a.keyPem })).toThrow('not a PEM certificate')
  expect(() => staticCertificates({ certPem: a.certPem, keyPem: 'x' })).toThrow('not a PEM private key')
})

describe('certificates from files', () => {
  let directory: string
  let open: FileCertificates | undefined
  const path = (name: string): string => join(directory, name)
  const files = (name: string) => ({ cert: path(`${name}.crt`), key: path(`${name}.key`) })
  const store = async (name: string, pair: CertificatePair): Promise<void> => {
    for (const [end, text] of [
      ['crt', pair.certPem],
      ['key', pair.keyPem],
    ] as const) {
      await writeFile(path(`${name}.${end}.new`), text)
      await rename(path(`${name}.${end}.new`), path(`${name}.${end}`))
    }
  }
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'posthorn-'))
  })
  afterEach(async () => {
    open?.close()
    await rm(directory, { recursive: true })
  })

  test('are chosen by the names that they bear, by wildcard for one label, or else the first', async () => {
    const pairs = {
      main: await selfSigned({ names: ['main.example'] }),
      other: await selfSigned({ names: ['Other.Example', '127.0.0.1', 'main.example'] }),
      wild: await selfSigned({ names: ['*.wild.example'] }),
    }
    for (const [name, pair] of Object.entries(pairs)) await store(name, pair)
    open = await fileCertificates({ pairs: [files('main'), files('other'), files('wild')] })
    expect(open.sameForAll).toBe(false)
    expect(open.forName(undefined)).toEqual(pairs.main)
    expect(open.forName('unknown.example')).toEqual(pairs.main)
    expect(open.forName('main.example')).toEqual(pairs.main)
    expect(open.forName('OTHER.example')).toEqual(pairs.other)
    expect(open.forName('mx.wild.example')).toEqual(pairs.wild)
    expect(open.forName('a.b.wild.example')).toEqual(pairs.main)
    expect(open.forName('wild.example')).toEqual(pairs.main)
    expect(open.forName('127.0.0.1')).toEqual(pairs.main)
    expect(open.forName('')).toEqual(pairs.main)
  })

  test('are shown for the names given to them and for no other, and must bear these', async () => {
    const [main, wild] = [await selfSigned({ names: ['a.example'] }), await selfSigned({ names: ['*.b.example'] })]
    await store('main', main)
    await store('wild', wild)
    open = await fileCertificates({ pairs: [files('main'), { ...files('wild'), names: ['MX.b.example'] }] })
    expect(open.forName('mx.b.example')).toEqual(wild)
    expect(open.forName('imap.b.example')).toEqual(main)
    await expect(
      fileCertificates({ pairs: [files('main'), { ...files('wild'), names: ['mx.c.example'] }] }),
    ).rejects.toThrow(`${path('wild.crt')} does not bear the name mx.c.example; it bears *.b.example`)
  })

  test('row 26: a name with a NUL or a comma, and a wildcard in the wrong label, choose no certificate', async () => {
    const names = [
      'mx.example\0.evil.test',
      'a.example, DNS:b.example',
      'mx.*.example',
      'm*.example',
      '*',
      '*.*.example',
    ]
    const [main, odd] = [
      await selfSigned({ names: ['main.example'] }),
      await selfSigned({ names: [...names, 'ok.example'] }),
    ]
    await store('main', main)
    await store('odd', odd)
    open = await fileCertificates({ pairs: [files('main'), files('odd')] })
    expect(open.forName('ok.example')).toEqual(odd)
    for (const name of [...names, 'mx.example', 'b.example', 'a.example', 'mx.a.example', 'mx.b.c.example', 'example'])
      expect(open.forName(name)).toEqual(main)
  })

  test('follow the names of a new certificate, all at one moment', async () => {
    const [main, before, after] = [
      await selfSigned({ names: ['main.example'] }),
      await selfSigned({ names: ['old.example'] }),
      await selfSigned({ names: ['new.example'] }),
    ]
    await store('main', main)
    await store('other', before)
    const renewed: CertificatePair[] = []
    open = await fileCertificates({ pairs: [files('main'), files('other')], onRenewed: pair => renewed.push(pair) })
    await store('other', after)
    await open.reload()
    expect([open.forName('old.example'), open.forName('new.example')]).toEqual([main, after])
    expect(renewed).toEqual([after])
  })

  test('are renewed when the files change, and listeners are told once', async () => {
    const clock = manualClock()
    const [before, after] = [await selfSigned({ names: ['a.example'] }), await selfSigned({ names: ['a.example'] })]
    await store('main', before)
    open = await fileCertificates({ pairs: [files('main')], clock, pollMs: 1000 })
    let told = 0
    const stop = open.onChange(() => told++)
    await open.reload()
    expect([open.forName(undefined), open.sameForAll, told]).toEqual([before, true, 0])
    await store('main', after)
    await clock.advance(1000)
    await open.reload()
    await open.reload()
    expect([open.forName(undefined), told]).toEqual([after, 1])
    stop()
    await store('main', before)
    await open.reload()
    expect([open.forName(undefined), told]).toEqual([before, 1])
    open.close()
    expect(clock.pending).toBe(0)
  })

  test('keep the old pair and report once while the new one is half there', async () => {
    const errors: string[] = []
    const [before, after] = [await selfSigned({ names: ['a.example'] }), await selfSigned({ names: ['a.example'] })]
    await store('main', before)
    open = await fileCertificates({ pairs: [files('main')], onError: error => errors.push(error.message) })
    await writeFile(path('main.crt'), after.certPem)
    await open.reload()
    await open.reload()
    expect(open.forName(undefined)).toEqual(before)
    expect(errors).toEqual([`${path('main.key')} does not belong to ${path('main.crt')}`])
    await writeFile(path('main.key'), after.keyPem)
    await open.reload()
    expect(open.forName(undefined)).toEqual(after)
    await rm(path('main.key'))
    await open.reload()
    expect(open.forName(undefined)).toEqual(after)
    expect(errors[1]).toBe(`${path('main.key')}: does not exist`)
  })

  test('say at the start which file is wrong and how', async () => {
    const pair = await selfSigned({ names: ['a.example'] })
    await expect(fileCertificates({ pairs: [files('none')] })).rejects.toThrow(`${path('none.crt')}: does not exist`)
    await store('main', pair)
    await writeFile(path('main.key'), 'nonsense')
    await expect(fileCertificates({ pairs: [files('main')] })).rejects.toThrow(
      `${path('main.key')} is not a PEM private key`,
    )
    await store('main', { certPem: 'nonsense', keyPem: pair.keyPem })
    await expect(fileCertificates({ pairs: [files('main')] })).rejects.toThrow(
      `${path('main.crt')} is not a PEM certificate`,
    )
    await expect(fileCertificates({ pairs: [{ cert: directory, key: directory }] })).rejects.toThrow('EISDIR')
  })
})
