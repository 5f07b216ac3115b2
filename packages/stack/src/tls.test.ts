import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { selfSigned } from '@posthorn/tls-policy'
import { checkConfig } from './config.ts'
import { createStack } from './stack.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'posthorn-tls-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const store = async (name: string, names: readonly string[]) => {
  const pair = await selfSigned({ names })
  const files = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
  writeFileSync(files.cert, pair.certPem)
  writeFileSync(files.key, pair.keyPem)
  return files
}
const meet = (port: number, o: object): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...o }, () => resolve(socket))
    socket.on('error', reject)
  })

test('rows 22 and 24: a client is shown the certificate of the name it asks for; other protocols and other listeners’ tickets are refused', async () => {
  const tls = [await store('one', ['mx.one.test']), { ...(await store('two', ['*.two.test'])), names: ['mx.two.test'] }]
  const port0 = { host: '127.0.0.1', port: 0 }
  const listeners = { mx: false, submission: false, submissions: port0, lmtp: false } as const
  const config = (): ReturnType<typeof checkConfig> => checkConfig({ hostname: 'mx.one.test', tls, listeners })
  const stacks = [
    await createStack(config(), { state: join(directory, 'a') }),
    await createStack(config(), { state: join(directory, 'b') }),
  ]
  const ports: number[] = []
  for (const stack of stacks) {
    const { submissions } = await stack.start()
    if (submissions !== undefined && 'port' in submissions) ports.push(submissions.port)
  }
  const [here = 0, there = 0] = ports
  const shown = async (servername?: string): Promise<string | undefined> => {
    const socket = await meet(here, servername === undefined ? {} : { servername })
    const { subjectaltname } = socket.getPeerCertificate()
    socket.destroy()
    return subjectaltname
  }
  expect(await shown()).toBe('DNS:mx.one.test')
  expect(await shown('mx.two.test')).toBe('DNS:*.two.test')
  expect(await shown('imap.two.test')).toBe('DNS:mx.one.test')

  // Row 22.
  await expect(meet(here, { ALPNProtocols: ['http/1.1'] })).rejects.toThrow(/no application protocol/)
  const smtp = await meet(here, { ALPNProtocols: ['http/1.1', 'smtp'] })
  expect(smtp.alpnProtocol).toBe('smtp')

  // Row 24.
  const session = await new Promise<Buffer>(resolve => smtp.once('session', resolve))
  smtp.destroy()
  const [again, elsewhere] = [await meet(here, { session }), await meet(there, { session })]
  expect([again.isSessionReused(), elsewhere.isSessionReused()]).toEqual([true, false])
  again.destroy()
  elsewhere.destroy()
  for (const stack of stacks) await stack.stop(0)
})

test('a list of certificates says where it is wrong', () => {
  const check = (tls: unknown) => () => checkConfig({ hostname: 'x.test', tls })
  expect(check([{ cert: 'a' }])).toThrow(/^tls\[0\]\.key: /)
  expect(check([{ cert: 'a', key: 'b', names: ['mx.*.test'] }])).toThrow(
    /^tls\[0\]\.names\[0\]: is not a host name such as/,
  )
  expect(check([])).toThrow(/^tls/)
  expect(checkConfig({ hostname: 'x.test', tls: { cert: 'a', key: 'b' } }).tls).toEqual([{ cert: 'a', key: 'b' }])
})
