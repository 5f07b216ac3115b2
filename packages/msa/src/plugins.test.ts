import { mailboxAt, parseDomain, parseMailbox } from '@posthorn/address'
import type { Domain, Mailbox } from '@posthorn/address'
import type { QueueId, SenderRights } from '@posthorn/contracts'
import { bodyOf, parseHeaders, renderHeaders, withFields, field } from '@posthorn/message'
import { createChain, newSlots, pass, permit } from '@posthorn/plugin'
import type { Chain, Host, OnEnqueue, OnRcpt, Plugin } from '@posthorn/plugin'
import { authenticationRequired, fromNotYours, oneFromRequired, relayDenied, senderNotYours } from '@posthorn/reply'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { describe, expect, test } from 'vitest'
import { authRequired } from './auth-required.ts'
import { fixUps } from './fix-ups.ts'
import { compileRights } from './rights.ts'
import { senderRights } from './sender-rights.ts'
import { submissionRelay } from './submission-relay.ts'

const clock = manualClock({ wall: Date.UTC(2026, 0, 2, 3, 4, 5) })
const { signal } = new AbortController()
const chainOf = (...plugins: Plugin[]): Promise<Chain> =>
  // None of these plugins asks its host for anything.
  createChain(plugins, { clock, host: () => ({}) as Host })
const mailbox = (text: string): Mailbox => parseMailbox(text) as Mailbox
const headers = (...lines: string[]) => parseHeaders(new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n`))
const context = (user: string | undefined): OnRcpt => ({
  ...newSlots(),
  service: 'submission',
  session: 's1',
  ip: '192.0.2.7',
  port: 4711,
  signal,
  helo: 'client.example',
  tls: undefined,
  sender: null,
  user,
  smtputf8: false,
  requireTls: false,
  accepted: [],
})
const rights: SenderRights = {
  maySendAs: (user, address) => user === 'alice' && compileRights(['alice@example.org'], '+').includes(address),
}

describe('authRequired', () => {
  test('nobody sends without having logged in', async () => {
    const chain = await chainOf(authRequired())
    expect(chain.decide('mail', mailbox('alice@example.org'), context(undefined))).toBe(authenticationRequired)
    expect(chain.decide('mail', null, context(undefined))).toBe(authenticationRequired)
    expect(chain.decide('mail', mailbox('alice@example.org'), context('alice'))).toBe(pass)
  })
})

describe('submissionRelay', () => {
  const recipients: readonly (readonly [local: string, domain: string])[] = [
    ['bob', 'example.net'],
    ['user%victim.example', 'example.org'],
    ['victim.example!user', 'example.org'],
    ['bob', '[127.0.0.1]'],
    ['bob', '[IPv6:::1]'],
    ['bob', '[IPv6:::ffff:127.0.0.1]'],
  ]
  test.each(recipients)('row 36: who has not logged in may not relay to %s@%s; a user may', async (local, domain) => {
    const chain = await chainOf(submissionRelay())
    const to = mailboxAt(local, parseDomain(domain) as Domain)
    expect(chain.decide('rcpt', { to }, context(undefined))).toBe(pass)
    expect(chain.decide('rcpt', { to }, context('alice'))).toBe(permit)
  })
  test('a permission is no more than that: a later plugin may refuse', async () => {
    const refuse: Plugin = { name: 'refuse', setup: () => ({ rcpt: () => relayDenied }) }
    const chain = await chainOf(submissionRelay(), refuse)
    expect(chain.decide('rcpt', { to: mailbox('bob@example.net') }, context('alice'))).toBe(relayDenied)
  })
})

describe('senderRights at MAIL', () => {
  test.each([
    ['alice@example.org', pass],
    ['Alice+list@example.org', pass],
    ['bob@example.org', senderNotYours],
    ['alice@example.net', senderNotYours],
  ])('alice as <%s>', async (address, expected) => {
    const chain = await chainOf(senderRights(rights))
    expect(chain.decide('mail', mailbox(address), context('alice'))).toBe(expected)
  })
  test('a user may send from nobody, for read receipts, unless the operator says otherwise', async () => {
    expect((await chainOf(senderRights(rights))).decide('mail', null, context('alice'))).toBe(pass)
    const strict = await chainOf(senderRights(rights, { nullSender: false }))
    expect(strict.decide('mail', null, context('alice'))).toBe(senderNotYours)
  })
  test('without a user nothing passes, whatever else is in the chain', async () => {
    const chain = await chainOf(senderRights(rights))
    expect(chain.decide('mail', null, context(undefined))).toBe(authenticationRequired)
    expect(chain.decide('headers', headers('From: alice@example.org'), context(undefined))).toBe(authenticationRequired)
  })
})

describe('senderRights at the header', () => {
  test.each([
    [['From: Alice <alice@example.org>'], pass],
    [['From: alice@example.org', 'Sender: alice+x@example.org', 'Reply-To: bob@example.net'], pass],
    [['From: Bob <bob@example.org>'], fromNotYours],
    [['From: alice@example.org, bob@example.org'], fromNotYours],
    [['From: Us: alice@example.org, bob@example.org;'], fromNotYours],
    [['From: <@example.net:bob@example.org>'], fromNotYours],
    [['From: "alice@example.org" <bob@example.org>'], fromNotYours],
    [['From: alice@example.org', 'Sender: bob@example.org'], fromNotYours],
    [['From: alice@example.org', 'Sender: bob'], fromNotYours],
    [['From: alice@example.org', 'Sender: alice@example.org', 'Sender: bob@example.org'], fromNotYours],
    [['Subject: none'], oneFromRequired],
    [['From: alice@example.org', 'From: bob@example.org'], oneFromRequired],
    [['From: alice@example.org', 'from : bob@example.org'], oneFromRequired],
    [['From: alice@example.org', 'FROM: alice@example.org'], oneFromRequired],
    [['From: bob@example.org <alice@example.org>'], oneFromRequired],
    [['From: undisclosed:;'], oneFromRequired],
    [['From:'], oneFromRequired],
  ])('row 38: %j', async (lines, expected) => {
    const chain = await chainOf(senderRights(rights))
    expect(chain.decide('headers', headers(...lines), context('alice'))).toBe(expected)
  })
  test('is left alone when the operator says so', async () => {
    const chain = await chainOf(senderRights(rights, { checkFrom: false }))
    expect(chain.has('headers')).toBe(false)
  })
})

describe('fixUps', () => {
  const stamp = async (origin: OnEnqueue['origin'], ...lines: string[]): Promise<string | undefined> => {
    const chain = await chainOf(fixUps({ hostname: 'mail.example.org', clock, random: seededRandom(1) }))
    const before = headers(...lines)
    const ctx: OnEnqueue = {
      ...newSlots(),
      queueId: 'q1' as QueueId,
      origin,
      user: 'alice',
      sender: null,
      rcpts: [],
      signal,
    }
    const edits = await chain.gather('stamp', { headers: before, body: bodyOf(new Uint8Array()) }, ctx)
    if ('failed' in edits) throw new Error('the plugin failed')
    const [edit] = edits
    if (edit === undefined) return undefined
    const prepend = (edit.prepend ?? []).map(([name, value]) => field(name, value))
    return new TextDecoder().decode(renderHeaders(withFields(before, { prepend, remove: edit.remove ?? [] })))
  }

  test('Date and Message-ID are added where they are missing', async () => {
    expect(await stamp('submission', 'From: alice@example.org')).toMatch(
      /^Date: Fri, 02 Jan 2026 03:04:05 \+0000\r\nMessage-ID: <[0-9a-z.]+@mail\.example\.org>\r\nFrom: alice@example\.org\r\n\r\n$/,
    )
  })
  test('what is there is left as it is', async () => {
    expect(await stamp('submission', 'date: yesterday', 'MESSAGE-ID: <1@x>', 'From: alice@example.org')).toBeUndefined()
    expect(await stamp('submission', 'Date: x', 'From: alice@example.org')).toMatch(/^Message-ID: /)
  })
  test('nobody is told who the hidden recipients are', async () => {
    const lines = [
      'Date: x',
      'Message-ID: <1@x>',
      'To: a@x.example',
      'Bcc: b@x.example',
      'bCC: c@x.example,',
      ' d@x.example',
    ]
    expect(await stamp('submission', ...lines, 'Resent-Bcc: e@x.example', 'Subject: s')).toBe(
      'Date: x\r\nMessage-ID: <1@x>\r\nTo: a@x.example\r\nSubject: s\r\n\r\n',
    )
  })
  test.each(['mx', 'lmtp', 'bounce', 'list', 'api'] as const)('mail of origin %s keeps its bytes', async origin => {
    expect(await stamp(origin, 'Bcc: b@x.example')).toBeUndefined()
  })
})
