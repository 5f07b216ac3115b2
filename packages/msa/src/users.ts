import type { Authenticator, Clock, Identity, Random, ScramVerifier, SenderRights } from '@posthorn/contracts'
import { defaultCost, hashPassword, verifyPassword } from './argon2id.ts'
import type { HashCost } from './argon2id.ts'
import { createHashingGate } from './hashing-gate.ts'
import { prepareName, preparePassword } from './prepare.ts'
import { compileRights, isAddressPattern } from './rights.ts'
import type { Rights } from './rights.ts'
import { defaultIterations, makeVerifier, parseVerifier, printVerifier } from './scram.ts'
import { changeUsers, readUsers, UsersError, versionOf } from './user-file.ts'
import type { UserRecord, UserRecords } from './user-file.ts'
import { createVerified } from './verified.ts'

/** A user as shown to an operator. */
export interface User {
  readonly name: string
  readonly addresses: readonly string[]
  /** The mailbox that takes their mail: `name` unless the file says otherwise. */
  readonly mailbox: string
}
export interface NewUser {
  readonly name: string
  readonly password: string
  /** What they may send as; the name itself when absent and an address. */
  readonly addresses?: readonly string[]
  readonly mailbox?: string
}

/** The users of a file: their secrets, their rights, and how to change them. */
export interface Users extends Authenticator, SenderRights {
  password: NonNullable<Authenticator['password']>
  recent: NonNullable<Authenticator['recent']>
  scram: NonNullable<Authenticator['scram']>
  /** Rejects with UsersError when the name is taken or any part is impossible. Durable when it resolves. */
  add(user: NewUser): Promise<void>
  /** Whether there was such a user. */
  remove(name: string): Promise<boolean>
  /** Rejects with UsersError when there is no such user. */
  setPassword(name: string, password: string): Promise<void>
  list(): readonly User[]
  find(name: string): User | undefined
  /** Read the file now. Throws UsersError and keeps what was known when it cannot be used. */
  reload(): void
}

export interface UsersOptions {
  readonly clock: Clock
  /** For salts and the cache's key. */
  readonly random: Random
  /** `alice@…` may send as `alice+anything@…`; `+` when absent, `''` for no such thing. */
  readonly delimiter?: string
  /** What a new hash costs. */
  readonly cost?: HashCost
  /** Of SCRAM-SHA-256; 16,384 when absent. */
  readonly iterations?: number
  /** Hashes at once; 2 when absent, which leaves half of Node's four threads to the disk. */
  readonly hashesAtOnce?: number
  /** More wait than that: rejected; 256 when absent. */
  readonly mostWaiting?: number
  /** Told when a changed file cannot be used; what was known goes on. */
  readonly onError?: (error: unknown) => void
}

/** How often we look whether the file changed. */
const lookAgainMs = 1000
const mostVerified = 10_000
const verifiedMs = 5 * 60_000

interface Known {
  readonly user: User
  readonly record: UserRecord
  readonly rights: Rights
}

const compile = (records: UserRecords, delimiter: string): ReadonlyMap<string, Known> =>
  new Map(
    [...records].map(([name, record]) => {
      const user = { name, addresses: record.addresses, mailbox: record.mailbox ?? name }
      return [name, { user, record, rights: compileRights(record.addresses, delimiter) }]
    }),
  )

const nameOrThrow = (text: string): string => {
  const name = prepareName(text)
  if (name !== undefined) return name
  throw new UsersError(
    `${JSON.stringify(text)} is no user name: 1 to 255 octets without spaces, slashes and control characters`,
  )
}
const passwordOrThrow = (text: string): string => {
  const password = preparePassword(text)
  if (password !== undefined) return password
  throw new UsersError('that is no password: 1 to 1024 octets without control characters')
}
const addressesOrThrow = ({ name, addresses }: NewUser): readonly string[] => {
  const all = addresses ?? (isAddressPattern(name) ? [name] : [])
  const wrong = all.find(address => !isAddressPattern(address))
  if (wrong === undefined) return all
  throw new UsersError(`${JSON.stringify(wrong)} is neither an address nor *@domain nor *`)
}

/**
 * Open a user file (JSON, mode 600); a missing one is made by the first `add`. Changes on disk are seen within a second.
 * Rejects with UsersError when the file cannot be used.
 */
export const openUsers = async (file: string, o: UsersOptions): Promise<Users> => {
  const { clock, random, delimiter = '+', cost = defaultCost, iterations = defaultIterations } = o
  const gate = createHashingGate(o.hashesAtOnce ?? 2, o.mostWaiting ?? 256)
  const verified = createVerified(clock, random, mostVerified, verifiedMs)
  // What an unknown user's password is held against, so that the time tells nothing about who exists.
  const nobody = await hashPassword(Buffer.from(random.bytes(16)).toString('hex'), random, cost)
  let known: ReadonlyMap<string, Known> = new Map()
  let version: string | undefined
  let looked = -Infinity

  const reload = (): void => {
    looked = clock.monotonic()
    // Taken before reading: a change in between is seen the next time.
    version = versionOf(file)
    known = compile(readUsers(file), delimiter)
  }
  const current = (): ReadonlyMap<string, Known> => {
    if (clock.monotonic() - looked < lookAgainMs) return known
    looked = clock.monotonic()
    try {
      if (versionOf(file) !== version) reload()
    } catch (error) {
      o.onError?.(error)
    }
    return known
  }
  const find = (text: string): Known | undefined => {
    const name = prepareName(text)
    return name === undefined ? undefined : current().get(name)
  }

  let last: Promise<unknown> = Promise.resolve()
  const change = async (apply: (users: Map<string, UserRecord>) => void): Promise<void> => {
    // One after the other within this process; the file itself keeps other processes out.
    const turn = last.then(() => changeUsers(file, () => clock.wall(), apply))
    last = turn.catch(() => undefined)
    await turn
    reload()
  }
  const secrets = async (password: string): Promise<Pick<UserRecord, 'argon2id' | 'scram'>> => ({
    argon2id: await hashPassword(password, random, cost),
    scram: printVerifier(await makeVerifier(password, random, iterations)),
  })

  const recent = (user: string, text: string): Identity | undefined => {
    const found = find(user)
    const password = found && preparePassword(text)
    if (found === undefined || password === undefined) return undefined
    return verified.has(found.user.name, password, found.record.argon2id) ? { user: found.user.name } : undefined
  }

  reload()
  return {
    recent,
    password: async (user, text, signal) => {
      signal.throwIfAborted()
      const known = recent(user, text)
      if (known !== undefined) return known
      const found = find(user)
      const password = preparePassword(text)
      if (password === undefined) return undefined
      const hash = found?.record.argon2id ?? nobody
      const right = await gate.run(() => verifyPassword(password, hash), signal)
      // Asked anew: the user may have been removed, or their password changed, while we hashed.
      if (!right || found === undefined || find(user)?.record.argon2id !== hash) return undefined
      verified.add(found.user.name, password, hash)
      return { user: found.user.name }
    },
    scram: async (user, signal): Promise<ScramVerifier | undefined> => {
      signal.throwIfAborted()
      const found = find(user)
      const verifier = found?.record.scram === undefined ? undefined : parseVerifier(found.record.scram)
      return verifier && { ...verifier, user: found?.user.name ?? user }
    },
    scramIterations: iterations,
    maySendAs: (user, address) => find(user)?.rights.includes(address) ?? false,
    add: async user => {
      const name = nameOrThrow(user.name)
      const mailbox = user.mailbox === undefined ? undefined : nameOrThrow(user.mailbox)
      const record = { addresses: addressesOrThrow(user), ...(mailbox !== undefined && { mailbox }) }
      if (current().has(name)) throw new UsersError(`there is a user ${name} already`)
      const kept = await secrets(passwordOrThrow(user.password))
      await change(users => {
        if (users.has(name)) throw new UsersError(`there is a user ${name} already`)
        users.set(name, { ...record, ...kept })
      })
    },
    remove: async text => {
      const name = prepareName(text)
      let removed = false
      await change(users => {
        removed = name !== undefined && users.delete(name)
      })
      return removed
    },
    setPassword: async (text, password) => {
      const name = nameOrThrow(text)
      const kept = await secrets(passwordOrThrow(password))
      await change(users => {
        const record = users.get(name)
        if (record === undefined) throw new UsersError(`there is no user ${name}`)
        users.set(name, { ...record, ...kept })
      })
    },
    list: () => [...current().values()].map(({ user }) => user),
    find: name => find(name)?.user,
    reload,
  }
}
