import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../peers/command.ts'
import type { Login } from './system.ts'

/** Make a key and a certificate that both systems use; `remove` deletes them. */
export const makeLogin = async (): Promise<Login & { remove(): void }> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-bench-key-'))
  const [cert, key] = [join(dir, 'bench.crt'), join(dir, 'bench.key')]
  const args = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bench.test -addext subjectAltName=DNS:bench.test'
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
