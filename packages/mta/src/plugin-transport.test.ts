import type { Job, Outcome, QueueId, SiteKey } from '@posthorn/contracts'
import { bodyOf, readAll } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import type { BoundTransport } from '@posthorn/plugin'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { splitMessage } from './head.ts'
import { pluginTransport } from './plugin-transport.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = async (body: Body): Promise<string> => new TextDecoder().decode(await readAll(body, 1e6))
/** A body that comes in pieces and is nowhere in memory whole. */
const pieces = (...parts: readonly string[]): Body => ({
  size: parts.join('').length,
  async *open() {
    for (const part of parts) yield bytes(part)
  },
})
const jobOf = (body: Body, over: Partial<Job> = {}): Job => ({
  id: 'q1' as QueueId,
  site: 'list:dev' as SiteKey,
  route: { via: 'transport', name: 'list', arg: 'dev' },
  envelope: { returnPath: null, origin: 'mx', smtputf8: false, body: '7bit', requireTls: false },
  returnPath: mailbox('a@us.example'),
  recipients: ['x@us.example', 'y@us.example'].map(to => ({ to: mailbox(to), site: 'list:dev' as SiteKey })),
  body,
  arrived: 0,
  tries: 2,
  tags: ['big'],
  stillOurs: () => true,
  ...over,
})
const done: Outcome = { fate: 'expanded', phase: 'local', cause: 'sent to members' }
const { signal } = new AbortController()

describe('pluginTransport', () => {
  it('gives the plugin its argument, the message and the delivery, one recipient after the other', async () => {
    const seen: unknown[] = []
    const run: BoundTransport = async (arg, message, ctx) => {
      const body = await text(message.body)
      seen.push([
        arg,
        message.headers.first('subject'),
        body,
        ctx.rcpt.to.local,
        ctx.tries,
        ctx.tags,
        ctx.sender?.local,
      ])
      return done
    }
    const job = jobOf(bodyOf(bytes('Subject: hi\r\n\r\nbody\r\n')))
    expect(await pluginTransport(run).deliver(job, signal)).toEqual([done, done])
    expect(seen).toEqual([
      ['dev', 'hi', 'body\r\n', 'x', 2, ['big'], 'a'],
      ['dev', 'hi', 'body\r\n', 'y', 2, ['big'], 'a'],
    ])
  })
  it('does not begin with a recipient when the lease is lost', async () => {
    let ours = true
    const run: BoundTransport = async () => {
      ours = false
      return done
    }
    const job = jobOf(bodyOf(bytes('Subject: hi\r\n\r\n')), { stillOurs: () => ours })
    const outcomes = await pluginTransport(run).deliver(job, signal)
    expect(outcomes).toMatchObject([done, { fate: 'deferred', notTried: true }])
  })
})

describe('splitMessage', () => {
  const split = async (body: Body, limit = 1000): Promise<readonly [string, string, number]> => {
    const { head, rest } = await splitMessage(body, limit)
    return [new TextDecoder().decode(head), await text(rest), rest.size]
  }
  it('splits after the empty line, in memory or in pieces', async () => {
    const expected = ['A: b\r\n\r\n', 'c\r\n\r\nd', 6]
    expect(await split(bodyOf(bytes('A: b\r\n\r\nc\r\n\r\nd')))).toEqual(expected)
    expect(await split(pieces('A: b\r', '\n\r', '\nc\r\n', '\r\nd'))).toEqual(expected)
    expect(await split(pieces('A: b\r\n\r\nc\r\n\r\nd'))).toEqual(expected)
  })
  it('takes all for headers when there is no empty line, and no more than the limit', async () => {
    expect(await split(pieces('A: b\r\n', 'C: d\r\n'))).toEqual(['A: b\r\nC: d\r\n', '', 0])
    expect(await split(pieces('A: b\r\n', 'C: d\r\n'), 4)).toEqual(['A: b', '\r\nC: d\r\n', 8])
    expect(await split(bodyOf(bytes('A: b\r\n\r\nx')), 4)).toEqual(['A: b', '\r\n\r\nx', 5])
  })
})
