import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isHash } from './argon2id.ts'
import { prepareName } from './prepare.ts'
import { isAddressPattern } from './rights.ts'
import { parseVerifier } from './scram.ts'

/** What is kept of one user. */
export interface UserRecord {
  /** Addresses they may send as; `*@example.org` and `*` too. */
  readonly addresses: readonly string[]
  /** The mailbox that takes their mail, when it is not named as they are. */
  readonly mailbox?: string
  /** A PHC string. */
  readonly argon2id: string
  /** As RFC 5803 §3 writes it. */
  readonly scram?: string
}
/** By name in its one spelling. */
export type UserRecords = ReadonlyMap<string, UserRecord>

/** A user file that cannot be used, or a change of it that makes no sense. The message says which key, what and why. */
export class UsersError extends Error {
  override readonly name = 'UsersError'
}

const largestFile = 64 * 1024 * 1024
const keys = ['addresses', 'mailbox', 'argon2id', 'scram']

const isObject = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === 'object' && x !== null && !Array.isArray(x)
const bad = (path: string, found: unknown, wanted: string): UsersError =>
  new UsersError(`${path} is ${JSON.stringify(found) ?? 'missing'}; it must be ${wanted}`)

const readRecord = (path: string, value: unknown): UserRecord => {
  if (!isObject(value)) throw bad(path, value, 'an object')
  const unknown = Object.keys(value).find(key => !keys.includes(key))
  if (unknown !== undefined) throw new UsersError(`${path}.${unknown} is unknown; allowed are ${keys.join(', ')}`)
  const { addresses, mailbox, argon2id, scram } = value
  if (!Array.isArray(addresses)) throw bad(`${path}.addresses`, addresses, 'a list of addresses')
  const wrong = addresses.findIndex(address => typeof address !== 'string' || !isAddressPattern(address))
  if (wrong >= 0) throw bad(`${path}.addresses[${wrong}]`, addresses[wrong], 'an address, *@domain or *')
  if (mailbox !== undefined && (typeof mailbox !== 'string' || prepareName(mailbox) !== mailbox))
    throw bad(`${path}.mailbox`, mailbox, 'the name of a mailbox: lower case, without spaces and slashes')
  // The secrets themselves stay out of the message.
  if (typeof argon2id !== 'string' || !isHash(argon2id))
    throw new UsersError(`${path}.argon2id must be a hash such as $argon2id$v=19$m=19456,t=2,p=1$…$…`)
  if (scram !== undefined && (typeof scram !== 'string' || parseVerifier(scram) === undefined))
    throw new UsersError(
      `${path}.scram must be SCRAM-SHA-256$<iterations, at least 4096>:<salt>$<StoredKey>:<ServerKey>`,
    )
  return {
    addresses: addresses as readonly string[],
    ...(mailbox !== undefined && { mailbox }),
    argon2id,
    ...(scram !== undefined && { scram }),
  }
}

/** Read the text of a user file. Throws UsersError. */
export const parseUsers = (text: string): UserRecords => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new UsersError(`not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!isObject(json)) throw bad('the file', json, 'an object')
  if (json['version'] !== 1) throw bad('version', json['version'], '1')
  if (!isObject(json['users'])) throw bad('users', json['users'], 'an object of users by name')
  const users = new Map<string, UserRecord>()
  for (const [key, value] of Object.entries(json['users'])) {
    const name = prepareName(key)
    if (name === undefined) throw bad('a key of users', key, 'a name without spaces, slashes and control characters')
    if (users.has(name)) throw new UsersError(`users.${key} is there twice, in two spellings`)
    users.set(name, readRecord(`users.${key}`, value))
  }
  return users
}

const printUsers = (users: UserRecords): string =>
  `${JSON.stringify({ version: 1, users: Object.fromEntries(users) }, undefined, 2)}\n`

/** Told apart by this; undefined when there is no file. */
export const versionOf = (file: string): string | undefined => {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true })
  return stats && `${stats.ino} ${stats.mtimeNs} ${stats.size}`
}

/**
 * Read a user file; a missing one holds nobody. Throws UsersError, also when it is a symbolic link, belongs to another user, or
 * may be read or written by others: it holds secrets, and whoever can write it can send as anybody.
 */
export const readUsers = (file: string): UserRecords => {
  let fd: number
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return new Map()
    const why =
      code === 'ELOOP'
        ? 'it is a symbolic link'
        : code === 'EACCES'
          ? `user id ${process.getuid?.()} may not read it; it must belong to that user`
          : String(code)
    throw new UsersError(`${file}: ${why}`, { cause: error })
  }
  try {
    const { uid, mode, size } = fstatSync(fd)
    const us = process.getuid?.()
    if (us !== undefined && uid !== us && uid !== 0)
      throw new UsersError(`it belongs to user id ${uid}; it must belong to ${us} or to root`)
    if ((mode & 0o077) !== 0)
      throw new UsersError(`its mode is ${(mode & 0o777).toString(8)}; it must be 600, so that others cannot read it`)
    if (size > largestFile) throw new UsersError(`it has ${size} octets; at most ${largestFile} are read`)
    return parseUsers(readFileSync(fd, 'utf8'))
  } catch (error) {
    if (error instanceof UsersError) throw new UsersError(`${file}: ${error.message}`, { cause: error })
    throw error
  } finally {
    closeSync(fd)
  }
}

const sync = async (path: string): Promise<void> => {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A change that takes longer has crashed. */
const staleMs = 30_000

/** The new file, made so that no other process can be making it: it is the lock as well. */
const lock = async (fresh: string, now: () => number): Promise<Awaited<ReturnType<typeof open>>> => {
  try {
    return await open(fresh, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const left = await stat(fresh).catch(() => undefined)
    if (left !== undefined && now() - left.mtimeMs < staleMs)
      throw new UsersError(`${fresh}: another process is changing the users; try again`, { cause: error })
    await unlink(fresh).catch(() => undefined)
    return open(fresh, 'wx', 0o600)
  }
}

/**
 * Change a user file in one step: read it anew, write beside it, fsync, rename over it, fsync the directory. A crash leaves the old
 * or the new whole. `now` is wall time in ms. What `change` throws leaves everything as it was.
 */
export const changeUsers = async (
  file: string,
  now: () => number,
  change: (users: Map<string, UserRecord>) => void,
): Promise<UserRecords> => {
  const fresh = `${file}.new`
  const handle = await lock(fresh, now)
  try {
    const users = new Map(readUsers(file))
    change(users)
    await handle.writeFile(printUsers(users))
    await handle.sync()
    await rename(fresh, file)
    await sync(dirname(file))
    return users
  } catch (error) {
    await unlink(fresh).catch(() => undefined)
    throw error
  } finally {
    await handle.close()
  }
}
