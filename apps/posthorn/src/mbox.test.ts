import { expect, test } from 'vitest'
import { bodyOf } from '@posthorn/message'
import { sampleMessage } from '@posthorn/testkit'
import type { QueueId } from '@posthorn/contracts'
import { mboxEntry } from './mbox.ts'

test('an mbox entry has a separator, and nothing in the message looks like one', async () => {
  const { envelope } = sampleMessage()
  const entry = {
    id: 'x' as QueueId,
    envelope,
    size: 1,
    arrived: Date.UTC(2026, 10, 2, 3, 4, 5),
    queued: [],
    history: [],
  }
  const bytes = Buffer.from('Subject: a\r\n\r\nFrom me\r\n>From you\r\n\xff', 'latin1')
  expect((await mboxEntry(entry, bodyOf(bytes))).toString('latin1')).toBe(
    'From alice@here.test Mon Nov  2 03:04:05 2026\nSubject: a\n\n>From me\n>>From you\n\xff\n\n',
  )
  const bounce = { ...entry, envelope: { ...envelope, returnPath: null } }
  expect((await mboxEntry(bounce, bodyOf(bytes))).toString('latin1')).toMatch(/^From MAILER-DAEMON Mon/)
})
