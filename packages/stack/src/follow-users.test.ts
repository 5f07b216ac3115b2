import { expect, test } from 'vitest'
import { parseMailbox } from '@posthorn/address'
import { createMailboxes } from '@posthorn/mda'
import type { User, Users } from '@posthorn/msa'
import { manualClock } from '@posthorn/testkit'
import { checkConfig } from './config.ts'
import { followUsers } from './follow-users.ts'
import { mailboxOptions, usersWithout } from './local-mailboxes.ts'

const config = checkConfig({ hostname: 'mx.example.org', domains: ['example.org'], postmaster: 'ann' })
const user = (name: string): User => ({ name, addresses: [name], mailbox: name })
const list = (...names: readonly string[]): Users => {
  const users = names.map(user)
  return { list: () => users } as unknown as Users
}

test('a user who is added has a mailbox a second later, and one who is removed has none', async () => {
  const clock = manualClock()
  let now = list('ann', 'bob@example.org')
  const users = { list: () => now.list() } as unknown as Users
  const mailboxes = createMailboxes(mailboxOptions(config, users))
  const end = followUsers(config, { clock, users, mailboxes, onError: error => expect.unreachable(String(error)) })
  const carl = parseMailbox('carl@example.org')!
  expect(mailboxes.find(carl)).toBeUndefined()
  now = list('ann', 'bob@example.org', 'carl@example.org')
  await clock.advance(1000)
  expect(mailboxes.find(carl)).toBe('carl@example.org')
  now = list('ann')
  await clock.advance(1000)
  expect(mailboxes.find(carl)).toBeUndefined()
  end()
})

test('a change that cannot be followed is told, and the mailboxes stay as they were', async () => {
  const clock = manualClock()
  let now = list('ann', 'bob')
  const users = { list: () => now.list() } as unknown as Users
  const mailboxes = createMailboxes(mailboxOptions(config, users))
  const errors: unknown[] = []
  followUsers(config, { clock, users, mailboxes, onError: error => errors.push(error) })
  now = list('bob')
  await clock.advance(1000)
  expect(String(errors[0])).toContain('postmaster "ann" is not one of the mailboxes')
  expect(mailboxes.find(parseMailbox('ann@example.org')!)).toBe('ann')
})

test('a user whose name can be no directory keeps no other from a mailbox, and is named', () => {
  const users = list('ann', 'a!b@example.org', 'else@where.example')
  const mailboxes = createMailboxes(mailboxOptions(config, users))
  expect(mailboxes.find(parseMailbox('ann@example.org')!)).toBe('ann')
  expect(usersWithout(config, users)).toEqual([
    expect.stringMatching(/^user a!b@example\.org has no mailbox: .*cannot name a directory/),
  ])
})
