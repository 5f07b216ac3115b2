import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../peers/command.ts'
import type { Login } from './system.ts'

/** The kinds of key, as OpenSSL is asked for them. */
const newKeys = { ecdsa: 'ec -pkeyopt ec_paramgen_curve:prime256v1', rsa: 'rsa:2048' } as const
export type KeyKind = keyof typeof newKeys
export const keyKinds = Object.keys(newKeys) as readonly KeyKind[]

/** Make a key and a certificate that both systems use; `remove` deletes them. */
export const makeLogin = async (kind: KeyKind): Promise<Login & { remove(): void }> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-bench-key-'))
  const [cert, key] = [join(dir, 'bench.crt'), join(dir, 'bench.key')]
  const args = `req -x509 -newkey ${newKeys[kind]} -nodes -days 2 -subj /CN=bench.test -addext subjectAltName=DNS:bench.test`
  const made = await run('openssl', [...args.split(' '), '-keyout', key, '-out', cert])
  if (made.code !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
  return {
    user: 'ann@bench.test',
    password: 'correct horse battery',
    cert,
    key,
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}
