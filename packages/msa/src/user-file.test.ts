import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { changeUsers, parseUsers, readUsers, UsersError } from './user-file.ts'

const hash = '$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
const user = { addresses: ['alice@example.org'], argon2id: hash }
const text = (users: unknown): string => JSON.stringify({ version: 1, users })

describe('a file that cannot be used says which key, what was found and what is allowed', () => {
  test.each([
    ['{', /^not JSON: /],
    ['[]', 'the file is []; it must be an object'],
    ['{"users":{}}', 'version is missing; it must be 1'],
    ['{"version":1}', 'users is missing; it must be an object of users by name'],
    [
      text({ 'a b': user }),
      'a key of users is "a b"; it must be a name without spaces, slashes and control characters',
    ],
    [text({ alice: user, Alice: user }), 'users.Alice is there twice, in two spellings'],
    [text({ alice: [] }), 'users.alice is []; it must be an object'],
    [
      text({ alice: { ...user, adresses: [] } }),
      'users.alice.adresses is unknown; allowed are addresses, mailbox, argon2id, scram',
    ],
    [text({ alice: { argon2id: hash } }), 'users.alice.addresses is missing; it must be a list of addresses'],
    [
      text({ alice: { ...user, addresses: ['a@b.example', 'nonsense'] } }),
      'users.alice.addresses[1] is "nonsense"; it must be an address, *@domain or *',
    ],
    [
      text({ alice: { ...user, mailbox: '../x' } }),
      'users.alice.mailbox is "../x"; it must be the name of a mailbox: lower case, without spaces and slashes',
    ],
    [
      text({ alice: { ...user, argon2id: 'secret' } }),
      'users.alice.argon2id must be a hash such as $argon2id$v=19$m=19456,t=2,p=1$…$…',
    ],
    [
      text({ alice: { ...user, scram: 'secret' } }),
      'users.alice.scram must be SCRAM-SHA-256$<iterations, at least 4096>:<salt>$<StoredKey>:<ServerKey>',
    ],
  ])('%s', (content, message) => {
    expect(() => parseUsers(content)).toThrow(UsersError)
    expect(() => parseUsers(content)).toThrow(message)
  })
  test('prototype names are names like others', () => {
    expect(parseUsers('{"version":1,"users":{}}').has('constructor')).toBe(false)
  })
})

describe('on disk', () => {
  let directory = ''
  let file = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'users-'))
    file = join(directory, 'users.json')
  })
  afterEach(() => rmSync(directory, { recursive: true }))
  const now = (): number => Date.now()
  const add = (name: string) => changeUsers(file, now, users => void users.set(name, user))

  test('a change makes the file, readable by us alone, and leaves nothing else', async () => {
    await add('alice')
    await add('bob')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect([...readUsers(file).keys()]).toEqual(['alice', 'bob'])
    expect(existsSync(`${file}.new`)).toBe(false)
  })
  test('a change that throws leaves the file as it was', async () => {
    await add('alice')
    const before = readFileSync(file, 'utf8')
    const failing = changeUsers(file, now, () => {
      throw new UsersError('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect(existsSync(`${file}.new`)).toBe(false)
  })
  test('two processes do not change it at once; what a crash left is cleared', async () => {
    writeFileSync(`${file}.new`, '')
    await expect(add('alice')).rejects.toThrow('another process is changing the users; try again')
    const later = changeUsers(
      file,
      () => now() + 60_000,
      users => void users.set('alice', user),
    )
    expect([...(await later).keys()]).toEqual(['alice'])
  })
  test.each([0o644, 0o640, 0o602])('row 49: a file of mode %o is refused', mode => {
    writeFileSync(file, text({}))
    chmodSync(file, mode)
    expect(() => readUsers(file)).toThrow(`its mode is ${mode.toString(8)}; it must be 600`)
  })
  test('row 49: a symbolic link is refused', () => {
    writeFileSync(join(directory, 'other'), text({}), { mode: 0o600 })
    symlinkSync(join(directory, 'other'), file)
    expect(() => readUsers(file)).toThrow('it is a symbolic link')
  })
  test('row 49: a file cut short is refused, not taken for an empty one', () => {
    writeFileSync(file, text({ alice: user }).slice(0, -5), { mode: 0o600 })
    expect(() => readUsers(file)).toThrow(`${file}: not JSON`)
  })
  test('a missing file holds nobody', () => {
    expect(readUsers(file).size).toBe(0)
  })
})
