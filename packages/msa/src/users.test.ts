import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HashingBusy } from './hashing-gate.ts'
import { openUsers } from './users.ts'
import type { Users, UsersOptions } from './users.ts'

let directory = ''
let file = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'users-'))
  file = join(directory, 'users.json')
})
afterEach(() => rmSync(directory, { recursive: true }))

const clock = manualClock({ wall: Date.now() })
const cheap = { cost: { memory: 64, passes: 1, lanes: 1 }, iterations: 4096 }
const open = (o: Partial<UsersOptions> = {}): Promise<Users> =>
  openUsers(file, { clock, random: seededRandom(1), ...cheap, ...o })
const mailbox = (text: string): Mailbox => parseMailbox(text) as Mailbox
const { signal } = new AbortController()

describe('secrets', () => {
  test('the right password names the user in its one spelling; anything else nobody', async () => {
    const users = await open()
    await users.add({ name: 'Alice@example.org', password: 'correct horse' })
    expect(await users.password('ALICE@example.org', 'correct horse', signal)).toEqual({ user: 'alice@example.org' })
    for (const [user, password] of [
      ['alice@example.org', 'wrong'],
      ['alice@example.org', ''],
      ['alice@example.org', 'correct horse\0'],
      ['nobody', 'correct horse'],
      ['alice@example.org\r\nx', 'correct horse'],
      ['', ''],
      ['constructor', 'x'],
      ['x'.repeat(1_000_000), 'x'.repeat(1_000_000)],
    ] as const)
      expect(await users.password(user, password, signal)).toBeUndefined()
  })
  test('the file holds an argon2id hash and a SCRAM verifier, never the password', async () => {
    const users = await open()
    await users.add({ name: 'alice', password: 'correct horse' })
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('$argon2id$v=19$m=64,t=1,p=1$')
    expect(text).toContain('SCRAM-SHA-256$4096:')
    expect(text).not.toContain('correct horse')
    expect(await users.scram?.('Alice', signal)).toMatchObject({ iterations: 4096 })
    expect(await users.scram?.('nobody', signal)).toBeUndefined()
  })
  test('an unknown user costs a hash like a known one', async () => {
    const users = await open({ hashesAtOnce: 1, mostWaiting: 0 })
    await users.add({ name: 'alice', password: 'x' })
    const first = users.password('nobody', 'guess', signal)
    // The one place is taken by it.
    await expect(users.password('alice', 'guess', signal)).rejects.toThrow(HashingBusy)
    expect(await first).toBeUndefined()
  })
  test('a password found right is not hashed again for a while, and a wrong one always is', async () => {
    const users = await open({ hashesAtOnce: 1, mostWaiting: 0 })
    await users.add({ name: 'alice', password: 'right' })
    await users.password('alice', 'right', signal)
    const all = await Promise.all(Array.from({ length: 50 }, () => users.password('alice', 'right', signal)))
    expect(all.every(identity => identity?.user === 'alice')).toBe(true)
    await clock.advance(5 * 60_000)
    expect(users.recent('alice', 'right')).toBeUndefined()
    const hashing = users.password('alice', 'right', signal)
    await expect(users.password('alice', 'right', signal)).rejects.toThrow(HashingBusy)
    expect(await hashing).toEqual({ user: 'alice' })
  })
  test('who was found a while ago is known at once, by that password and for as long as it is theirs', async () => {
    const users = await open()
    await users.add({ name: 'alice', password: 'right' })
    await users.add({ name: 'bob', password: 'right' })
    expect(users.recent('alice', 'right')).toBeUndefined()
    await users.password('alice', 'wrong', signal)
    await users.password('alice', 'right', signal)
    expect(users.recent('Alice', 'right')).toEqual({ user: 'alice' })
    for (const [user, password] of [
      ['alice', 'wrong'],
      ['alice', ''],
      ['bob', 'right'],
      ['nobody', 'right'],
    ] as const)
      expect(users.recent(user, password)).toBeUndefined()
    await users.setPassword('alice', 'other')
    expect(users.recent('alice', 'right')).toBeUndefined()
    await users.password('alice', 'other', signal)
    await users.remove('alice')
    expect(users.recent('alice', 'other')).toBeUndefined()
  })
  test('row 32: a thousand wrong passwords leave no identity and the next right one works', async () => {
    const users = await open({ mostWaiting: 100 })
    await users.add({ name: 'alice', password: 'right' })
    const tries = await Promise.allSettled(
      Array.from({ length: 1000 }, (_, i) => users.password('alice', `wrong ${i}`, signal)),
    )
    expect(tries.some(t => t.status === 'fulfilled' && t.value !== undefined)).toBe(false)
    expect(tries.filter(t => t.status === 'rejected')).toHaveLength(1000 - 102)
    expect(await users.password('alice', 'right', signal)).toEqual({ user: 'alice' })
  })
  test('a new password drops the old one at once, also from memory', async () => {
    const users = await open()
    await users.add({ name: 'alice', password: 'old' })
    await users.password('alice', 'old', signal)
    await users.setPassword('alice', 'new')
    expect(await users.password('alice', 'old', signal)).toBeUndefined()
    expect(await users.password('alice', 'new', signal)).toEqual({ user: 'alice' })
  })
  test('a user removed while their password is hashed is not let in', async () => {
    const users = await open()
    await users.add({ name: 'alice', password: 'right' })
    const checking = users.password('alice', 'right', signal)
    writeFileSync(file, '{"version":1,"users":{}}')
    users.reload()
    expect(await checking).toBeUndefined()
  })
  test('composed and decomposed spellings are one password', async () => {
    const users = await open()
    await users.add({ name: 'zoë', password: 'cafe\u0301' })
    expect(await users.password('zoe\u0308', 'caf\u00e9', signal)).toEqual({ user: 'zoë' })
  })
  test('an abort rejects with its reason', async () => {
    const users = await open()
    await expect(users.password('alice', 'x', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })
})

describe('rights', () => {
  test('a user may send as what their record lists, and nobody else as anything', async () => {
    const users = await open()
    await users.add({ name: 'alice@example.org', password: 'x' })
    await users.add({ name: 'bob', password: 'x', addresses: ['bob@example.org', '*@lists.example'] })
    expect(users.maySendAs('alice@example.org', mailbox('Alice+x@example.org'))).toBe(true)
    expect(users.maySendAs('alice@example.org', mailbox('bob@example.org'))).toBe(false)
    expect(users.maySendAs('BOB', mailbox('any@lists.example'))).toBe(true)
    expect(users.maySendAs('nobody', mailbox('alice@example.org'))).toBe(false)
  })
})

describe('changes', () => {
  test('users are listed with their addresses and mailboxes', async () => {
    const users = await open()
    await users.add({ name: 'alice@example.org', password: 'x' })
    await users.add({ name: 'bob', password: 'x', addresses: [], mailbox: 'team' })
    expect(users.list()).toEqual([
      { name: 'alice@example.org', addresses: ['alice@example.org'], mailbox: 'alice@example.org' },
      { name: 'bob', addresses: [], mailbox: 'team' },
    ])
    expect(users.find('BOB')?.mailbox).toBe('team')
  })
  test('what makes no sense is refused with words', async () => {
    const users = await open()
    await users.add({ name: 'alice', password: 'x' })
    await expect(users.add({ name: 'ALICE', password: 'x' })).rejects.toThrow('there is a user alice already')
    await expect(users.add({ name: 'a b', password: 'x' })).rejects.toThrow('"a b" is no user name')
    await expect(users.add({ name: 'b', password: '' })).rejects.toThrow('that is no password')
    await expect(users.add({ name: 'b', password: 'x', addresses: ['?'] })).rejects.toThrow('"?" is neither an address')
    await expect(users.add({ name: 'b', password: 'x', mailbox: '../b' })).rejects.toThrow('"../b" is no user name')
    await expect(users.setPassword('b', 'x')).rejects.toThrow('there is no user b')
    expect(await users.remove('b')).toBe(false)
    expect(await users.remove('Alice')).toBe(true)
    expect(users.list()).toEqual([])
  })
  test('changes asked at once are all kept', async () => {
    const users = await open()
    await Promise.all(['a', 'b', 'c', 'd'].map(name => users.add({ name, password: 'x' })))
    expect(users.list().map(user => user.name)).toEqual(expect.arrayContaining(['a', 'b', 'c', 'd']))
    expect((await open()).list()).toHaveLength(4)
  })
  test('a change by another process is seen within a second', async () => {
    const [ours, theirs] = [await open(), await open()]
    await theirs.add({ name: 'alice', password: 'x' })
    expect(ours.find('alice')).toBeUndefined()
    await clock.advance(1000)
    expect(ours.find('alice')?.name).toBe('alice')
  })
  test('a change that cannot be read is told once, and what was known goes on', async () => {
    const onError = vi.fn()
    const users = await open({ onError })
    await users.add({ name: 'alice', password: 'x' })
    writeFileSync(file, 'broken')
    await clock.advance(1000)
    expect(users.find('alice')?.name).toBe('alice')
    await clock.advance(1000)
    expect(users.find('alice')?.name).toBe('alice')
    expect(onError).toHaveBeenCalledOnce()
    expect(String(onError.mock.calls[0]?.[0])).toContain('not JSON')
  })
  test('a file that is broken at the start is an error', async () => {
    writeFileSync(file, '{"version":2}', { mode: 0o600 })
    await expect(open()).rejects.toThrow('version is 2; it must be 1')
  })
})
