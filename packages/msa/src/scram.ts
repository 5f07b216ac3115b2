import type { Random, ScramVerifier } from '@posthorn/contracts'
import { scramKeys } from '@posthorn/smtp'
import { saltedPassword, sha256 } from '@posthorn/system'

/** RFC 7677 §4 asks for 4,096 at least; the client pays for them at every login. */
export const defaultIterations = 16_384

const text = /^SCRAM-SHA-256\$([1-9]\d{3,6}):([A-Za-z0-9+/]{11,86}={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/

/** Read `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (RFC 5803 §3, as PostgreSQL stores it). */
export const parseVerifier = (line: string): ScramVerifier | undefined => {
  const [, iterations, salt = '', stored = '', server = ''] = text.exec(line) ?? []
  if (iterations === undefined || Number(iterations) < 4096) return undefined
  const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))
  return { salt: bytes(salt), iterations: Number(iterations), storedKey: bytes(stored), serverKey: bytes(server) }
}

/** Print a verifier; `parseVerifier` reads it back. */
export const printVerifier = ({ salt, iterations, storedKey, serverKey }: ScramVerifier): string => {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`
}

/** What a server keeps of a prepared password (RFC 5802 §3): enough to check a client, not enough to be one. */
export const makeVerifier = async (
  password: string,
  random: Random,
  iterations: number = defaultIterations,
): Promise<ScramVerifier> => {
  const salt = random.bytes(16)
  const { storedKey, serverKey } = scramKeys(await saltedPassword(password, salt, iterations), sha256)
  return { salt, iterations, storedKey: new Uint8Array(storedKey), serverKey: new Uint8Array(serverKey) }
}
