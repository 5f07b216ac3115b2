import type { Envelope, QueueId } from '@posthorn/contracts'
import { buildReport } from '@posthorn/dsn'
import { parseHeaders, utf8 } from '@posthorn/message'
import { memoryQueue } from '@posthorn/queue'
import { manualClock, memoryKeyValue, seededRandom, testPlugin } from '@posthorn/testkit'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { DAY, site } from '../test/station.ts'
import { BounceTags } from './bounce-tags.ts'
import { bounceReader } from './bounce-reader.ts'

const ann = mailbox('ann@us.example')
const envelope: Envelope = {
  returnPath: ann,
  origin: 'submission',
  smtputf8: false,
  body: '7bit',
  requireTls: false,
}

const setup = async () => {
  const clock = manualClock()
  const random = seededRandom(3)
  const queue = memoryQueue({ clock, random })
  const kv = memoryKeyValue(clock)
  const tags = new BounceTags({ keys: ['a key of sixteen'], lifetimeMs: 7 * DAY, kv, clock })
  const told: { readonly [k: string]: unknown }[] = []
  const journal = {
    event: (name: string, fields: object) => void told.push({ name, ...fields }),
    child: () => journal,
  }
  const isLocalDomain = (domain: string): boolean => domain === 'us.example'
  const show = (id: QueueId) => queue.show(id)
  const plugin = bounceReader({ journal, show, hostname: 'mx.us.example', isLocalDomain, tags })
  const h = await testPlugin(plugin, { clock, kv })
  return {
    h,
    tags,
    told,
    /** A message of ann's that has left. */
    sent: async (...to: readonly string[]): Promise<QueueId> => {
      const draft = queue.begin()
      await draft.end()
      await draft.commit({ envelope, recipients: to.map(rcpt => ({ to: mailbox(rcpt), site: site('mx:far.test') })) })
      return draft.id
    },
    /** A message comes in, and is in the queue. */
    comes: async (to: string, content: string, o: { from?: string | null; orcpt?: string } = {}): Promise<void> => {
      await h.mail(o.from === undefined ? null : o.from)
      await h.rcpt(to, o.orcpt === undefined ? {} : { orcpt: o.orcpt })
      expect(await h.stamp(content)).toEqual([])
      h.queued()
      await h.clock.advance(0)
    },
  }
}

interface About {
  readonly head?: string
  readonly envid?: string
  readonly to?: string
  readonly said?: string
}
const report = ({
  head = 'Subject: x',
  envid,
  to = 'bob@far.test',
  said = '552 5.2.2 Over quota',
}: About = {}): string => {
  const [code, enhanced = '', ...words] = said.split(' ')
  const built = buildReport({
    to: ann,
    hostname: 'mx.far.test',
    arrived: 0,
    now: 0,
    smtputf8: false,
    ...(envid === undefined ? undefined : { envid }),
    original: { headers: utf8(`${head}\r\n\r\n`) },
    recipients: [
      {
        to: mailbox(to),
        action: 'failed',
        cause: '',
        reply: { code: Number(code), enhanced, lines: [words.join(' ')] },
        remote: 'mx.far.test',
      },
    ],
    random: seededRandom(1),
  })
  return new TextDecoder().decode(built.bytes)
}
const trace = (id: string, host = 'mx.us.example'): string =>
  `Received: from x by ${host} (Posthorn) with ESMTPSA id ${id}; Thu, 01 Jan 2026 00:00:00 +0000\r\nSubject: x`

describe('a bounce that comes in', () => {
  it('is told with its class and rule, and with the message and recipient that its tag names', async () => {
    const s = await setup()
    const id = await s.sent('bob@far.test', 'carl@far.test')
    const tagged = await s.tags.tag(ann, { id, to: mailbox('carl@far.test') })
    // The alias to the sender has put the tagged address here, in whatever case.
    await s.comes('ann@us.example', report({ to: 'somebody@else.example' }), {
      orcpt: `rfc822;${tagged.wire.toLowerCase()}`,
    })
    expect(s.told).toEqual([
      {
        name: 'bounce.received',
        id: expect.any(String) as string,
        about: id,
        from: 'ann@us.example',
        by: 'tag',
        rcpt: 'carl@far.test',
        action: 'failed',
        enhanced: '5.2.2',
        class: 'quota-issues',
        rule: 'quota-text',
        text: '552 5.2.2 Over quota',
        remote: 'mx.far.test',
        reporter: 'mx.far.test',
        form: 'dsn',
      },
    ])
  })
  it('is found by our trace field in what it returns', async () => {
    const s = await setup()
    const id = await s.sent('bob@far.test')
    await s.comes('ann@us.example', report({ head: trace(id), to: 'bobs-other@far.test' }))
    expect(s.told).toMatchObject([{ about: id, by: 'trace', rcpt: 'bob@far.test' }])
  })
  it.each([
    ['somebody else’s', (id: string) => trace(id), 'bob@us.example'],
    ['a trace field of another host', (id: string) => trace(id, 'mx.far.test'), 'ann@us.example'],
    ['an unknown id', () => trace('0000000000'), 'ann@us.example'],
  ])('that claims to be about %s message is told as about nothing', async (_, head, reader) => {
    const s = await setup()
    const id = await s.sent('bob@far.test')
    await s.comes(reader, report({ head: head(id) }))
    expect(s.told).toMatchObject([{ by: 'nothing', about: undefined, rcpt: 'bob@far.test', class: 'quota-issues' }])
  })
  it('is found by ENVID, and by Message-ID, while they are remembered', async () => {
    for (const [by, about] of [
      ['message-id', { head: 'Message-ID: <m1@us.example>' }],
      ['envid', { envid: 'E1' }],
    ] as const) {
      const s = await setup()
      const id = await s.sent('bob@far.test')
      const sent = { sender: ann, envid: 'E1', queueId: id, origin: 'submission', rcpts: [] } as const
      const context = Object.assign(Object.create(s.h.transaction) as typeof s.h.transaction, sent)
      await s.h.chain.gather(
        'stamp',
        { headers: parseHeaders(utf8('Message-ID: <m1@us.example>\r\n\r\n')), body: { size: 0, async *open() {} } },
        context,
      )
      await s.comes('ann@us.example', report(about))
      expect(s.told).toMatchObject([{ by, about: id }])
    }
  })
  it('by old software is told as well', async () => {
    const s = await setup()
    const id = await s.sent('bob@far.test')
    const text = [
      'Subject: failure notice',
      '',
      'Hi. This is the mail program at far.test.',
      '',
      '<bob@far.test>:',
      'Remote host said: 550 5.1.1 No such user',
      '',
      '--- Below this line is a copy of the message.',
      '',
      trace(id),
      '',
      'text',
    ].join('\r\n')
    await s.comes('ann@us.example', text)
    expect(s.told).toMatchObject([{ form: 'qmail', about: id, class: 'bad-mailbox', rcpt: 'bob@far.test' }])
  })
  it('is a report of success: no bounce', async () => {
    const s = await setup()
    await s.comes('ann@us.example', report().replaceAll(/Action: failed/g, 'Action: delivered'))
    expect(s.told).toEqual([])
  })
  it('is not looked for in mail of people', async () => {
    const s = await setup()
    await s.comes('ann@us.example', 'Subject: x\r\n\r\nHi. This is Bob.\r\n\r\n<a@b.example>:\r\nis my address\r\n', {
      from: 'bob@far.test',
    })
    await s.comes('ann@us.example', 'Subject: I am away\r\n\r\nuntil Monday\r\n')
    expect(s.told).toEqual([])
  })
  it('costs no mail when its message cannot be looked up', async () => {
    const clock = manualClock()
    const told: string[] = []
    const journal = { event: (name: string) => void told.push(name), child: () => journal }
    const show = (): Promise<never> => Promise.reject(new Error('the store is away'))
    const plugin = bounceReader({ journal, show, hostname: 'mx.us.example', isLocalDomain: () => true })
    const h = await testPlugin(plugin, { clock })
    await h.mail(null)
    await h.rcpt('ann@us.example')
    expect(await h.stamp(report({ head: trace('0000000000') }))).toEqual([])
    h.queued()
    await clock.advance(0)
    expect(told).toEqual(['error', 'bounce.received'])
  })
})

describe('a complaint that comes in', () => {
  const arf = (original: string, ...fields: readonly string[]): string =>
    [
      'Content-Type: multipart/report; report-type=feedback-report; boundary=b',
      '',
      '--b',
      'Content-Type: message/feedback-report',
      '',
      'Feedback-Type: abuse',
      'User-Agent: Loop/1.0',
      ...fields,
      '',
      '--b',
      'Content-Type: message/rfc822',
      '',
      original,
      '',
      '--b--',
    ].join('\r\n')
  it('is told with the message and recipient, though it hides the recipient', async () => {
    const s = await setup()
    const id = await s.sent('bob@far.test', 'carl@far.test')
    const tagged = await s.tags.tag(ann, { id, to: mailbox('carl@far.test') })
    await s.comes('abuse@us.example', arf('Subject: x', `Original-Mail-From: <${tagged.wire}>`), {
      from: 'fbl@far.test',
    })
    await s.comes('abuse@us.example', arf(trace(id), 'Original-Rcpt-To: <Bob@far.test>'), { from: 'fbl@far.test' })
    expect(s.told).toMatchObject([
      {
        name: 'complaint.received',
        about: id,
        by: 'tag',
        rcpt: 'carl@far.test',
        from: 'ann@us.example',
        type: 'abuse',
      },
      { name: 'complaint.received', about: id, by: 'trace', rcpt: 'bob@far.test', reporter: 'Loop/1.0' },
    ])
  })
})
