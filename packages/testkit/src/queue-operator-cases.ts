import type { Change, Filter, FilterField, SiteKey } from '@posthorn/contracts'
import { failureOf, holds, same } from './check.ts'
import type { ContractCase, QueueUnderTest } from './queue-contract.ts'
import {
  claimSample,
  enqueueSample,
  sampleMailbox,
  sampleMessage,
  sampleOwner,
  sampleRecipient,
  textOf,
} from './sample-message.ts'

const all: Filter = { and: [] }
const where = (...terms: readonly string[]): Filter => ({
  and: terms.map(term => {
    const match = /^([a-z]+)([=~<>])(.*)$/.exec(term)
    if (match === null) throw new Error(term)
    return { field: match[1] as FilterField, op: match[2] as '=', value: match[3] ?? '' }
  }),
})

/** Three messages that differ in every field. */
const fill = async (t: QueueUnderTest): Promise<readonly string[]> => {
  const first = await enqueueSample(
    t.queue,
    sampleMessage({
      recipients: [sampleRecipient('bob@one.test'), sampleRecipient('eve@two.test')],
      tags: ['vip', 'eu'],
    }),
  )
  await t.advance(7_200_000)
  const envelope = { returnPath: sampleMailbox('carol@out.test'), origin: 'submission', user: 'carol' } as const
  const second = await enqueueSample(
    t.queue,
    sampleMessage({ envelope, recipients: [sampleRecipient('Bob.B@one.test')] }),
    'x'.repeat(5000),
  )
  const third = await enqueueSample(
    t.queue,
    sampleMessage({
      envelope: { returnPath: null, origin: 'bounce' },
      recipients: [sampleRecipient('a%b@three.test')],
      held: 'look',
    }),
  )
  const [claim] = await claimSample(t.queue, { sites: 1, perSite: 1 })
  const reply = { code: 452, enhanced: '4.2.2', lines: ['Over quota'] }
  const attempt = { at: t.wall(), phase: 'rcpt', reply, cause: 'full', ms: 1 }
  if (claim !== undefined)
    await t.queue.settle([{ lease: claim, fate: { to: 'retry', due: t.wall() + 1000, why: 'full' }, attempt }])
  return [first, second, third]
}

const found = async (t: QueueUnderTest, ...terms: readonly string[]): Promise<readonly string[]> =>
  (await t.queue.list(where(...terms), { limit: 100 })).rows.map(r => r.rcpt)

/** What the person in charge asks and changes. */
export const queueOperatorCases: readonly ContractCase<QueueUnderTest>[] = [
  {
    name: 'the list comes in pages that show each delivery once',
    run: async t => {
      await Promise.all(Array.from({ length: 25 }, () => enqueueSample(t.queue)))
      const seen: number[] = []
      for (let after: string | undefined, pages = 0; pages < 10; pages++) {
        const page = await t.queue.list(all, { limit: 10, ...(after !== undefined && { after }) })
        seen.push(...page.rows.map(r => r.delivery))
        after = page.after
        if (after === undefined) break
      }
      same([seen.length, new Set(seen).size], [25, 25])
    },
  },
  {
    name: 'mail is found by its sender and its recipient in every state, whatever the case of its letters',
    run: async t => {
      const message = sampleMessage({
        envelope: { returnPath: sampleMailbox('Carol@Out.test') },
        recipients: ['Bob@one.test', 'eve@two.test', 'joe@three.test'].map(rcpt => sampleRecipient(rcpt)),
      })
      const draft = t.queue.begin()
      await draft.write(new TextEncoder().encode('Hello'))
      const [bob, eve, joe] = await draft.commit(message, { owner: sampleOwner, leaseMs: 600_000 })
      if (bob === undefined || eve === undefined || joe === undefined) throw new Error('not all were leased')
      await enqueueSample(t.queue, sampleMessage({ envelope: { returnPath: null } }))
      const carols = ['Bob@one.test', 'eve@two.test', 'joe@three.test']
      same(await found(t, 'sender=carol@out.TEST'), carols)
      same(await found(t, 'rcpt=bob@ONE.test'), ['Bob@one.test'])
      const due = t.wall() + 1000
      await t.queue.settle([
        { lease: bob, fate: { to: 'retry', due, why: 'busy' } },
        { lease: eve, fate: { to: 'held', why: 'look' } },
      ])
      same(await found(t, 'sender=carol@out.test'), carols)
      same(await found(t, 'sender=carol@out.test', 'state=held'), ['eve@two.test'])
      same(await found(t, 'rcpt=bob@one.test', 'sender=carol@out.test'), ['Bob@one.test'])
      const states = await t.queue.count(where('sender=carol@out.test'), 'state')
      same([states.get('ready'), states.get('leased'), states.get('held'), states.size], [1, 1, 1, 3])
      await t.queue.release([joe], t.wall(), 'not now')
      await t.queue.change(where('rcpt=eve@two.test'), { do: 'release' }, 'op')
      await t.advance(2000)
      same((await claimSample(t.queue)).length, 4)
      same(await found(t, 'sender=carol@out.test', 'state=leased'), carols)
      same(await found(t, 'rcpt=joe@three.test'), ['joe@three.test'])
      same(await found(t, 'sender='), ['bob@there.test'])
      same([await found(t, 'sender=nobody@out.test'), await found(t, 'rcpt=nobody@one.test')], [[], []])
    },
  },
  {
    name: 'a filter can name every field',
    run: async t => {
      const [first = '', second = ''] = await fill(t)
      const [bob, eve, bobB, ab] = ['bob@one.test', 'eve@two.test', 'Bob.B@one.test', 'a%b@three.test']
      same(await found(t, `id=${first}`), [bob, eve])
      same(await found(t, `id>${second}`), [ab])
      same(await found(t, 'site=mx:one.test'), [bob, bobB])
      same(await found(t, 'sender=carol@out.test'), [bobB])
      same(await found(t, 'sender='), [ab])
      same(await found(t, 'rcpt=BOB@one.test'), [bob])
      same(await found(t, 'rcpt~bob*@one.test'), [bob, bobB])
      same(await found(t, 'rcpt~%b'), [ab])
      same(await found(t, 'domain=two.test'), [eve])
      same(await found(t, 'state=held'), [ab])
      same(await found(t, 'age>1h'), [bob, eve])
      same(await found(t, 'age<3600'), [bobB, ab])
      same(await found(t, 'attempts=1'), [bob])
      same(await found(t, 'size>4k'), [bobB])
      same(await found(t, 'reply=452'), [bob])
      same(await found(t, 'reply=452 4.2.2'), [bob])
      same(await found(t, 'reply~quota'), [bob])
      same(await found(t, 'reply<452'), [])
      same(await found(t, 'tag=vip'), [bob, eve])
      same(await found(t, 'user=carol'), [bobB])
      same(await found(t, 'origin=bounce'), [ab])
      same(await found(t, 'why=look'), [ab])
      same(await found(t, 'why~ul*'), [])
      same(await found(t, 'why~ul'), [bob])
      same(await found(t, 'domain=one.test', 'age>1h'), [bob])
      same(await found(t, `id=${first}x`.slice(0, -1), 'domain=two.test'), [eve])
      same(await found(t, 'id=nobodyhasit'), [])
    },
  },
  {
    name: 'row 35: a filter value is data, whatever it spells',
    run: async t => {
      await fill(t)
      for (const value of [`' or 1=1 --`, `'; drop table delivery; --`, `\\`, `"`, `x' union select 1 --`])
        same(await found(t, `rcpt=${value}`, `site~${value}`), [])
      same((await t.queue.count(all)).get('all'), 4)
    },
  },
  {
    name: 'a filter that makes no sense is refused in words',
    run: async t => {
      for (const term of ['age=5', 'age>soon', 'size~5', 'state=lost', 'state~r', 'id=short', 'site<b', 'reply>x']) {
        const error = await failureOf(() => t.queue.list(where(term), { limit: 1 }))
        holds(
          error instanceof RangeError && error.message.includes(/^[a-z]+/.exec(term)?.[0] ?? ''),
          `${term} is refused as a RangeError`,
        )
        holds(
          (await failureOf(() => t.queue.change(where(term), { do: 'drop' }, 'op'))) instanceof RangeError,
          'so is a change',
        )
      }
    },
  },
  {
    name: 'what is there can be counted by any field',
    run: async t => {
      await fill(t)
      const count = async (by?: FilterField, f = all): Promise<unknown> =>
        Object.fromEntries(await t.queue.count(f, by))
      same(await count(), { all: 4 })
      same(await count('site'), { 'mx:one.test': 2, 'mx:two.test': 1, 'mx:three.test': 1 })
      same(await count('domain', where('age>1h')), { 'one.test': 1, 'two.test': 1 })
      same(await count('state'), { ready: 3, held: 1 })
      same(await count('reply'), { '452 4.2.2': 1, '': 3 })
      same(await count('sender'), { 'alice@here.test': 2, 'carol@out.test': 1, '': 1 })
    },
  },
  {
    name: 'hold, release, retry, reroute and drop do what they say, with the name of who did it',
    run: async t => {
      const id = await enqueueSample(
        t.queue,
        sampleMessage({ recipients: [sampleRecipient('bob@there.test', { due: t.wall() + 1e6 })] }),
      )
      const f = where(`id=${id}`)
      const change = (c: Change): Promise<number> => t.queue.change(f, c, 'carol')
      same(await change({ do: 'release' }), 0, 'releasing what is not held')
      same(await change({ do: 'hold' }), 1)
      same(await claimSample(t.queue), [])
      same(await change({ do: 'release' }), 1)
      const [claim] = await claimSample(t.queue)
      if (claim === undefined) throw new Error('a released message is due')
      await t.queue.settle([{ lease: claim, fate: { to: 'retry', due: t.wall() + 1e6, why: 'later' } }])
      same(await change({ do: 'retry' }), 1)
      const [again] = await claimSample(t.queue)
      if (again === undefined) throw new Error('a retried message is due')
      await t.queue.settle([{ lease: again, fate: { to: 'retry', due: t.wall() + 1e6, why: 'later' } }])
      same(await change({ do: 'reroute', site: 'smtp:backup.test:25' as SiteKey }), 1)
      const [rerouted] = await claimSample(t.queue)
      same(rerouted?.site, 'smtp:backup.test:25')
      if (rerouted !== undefined) await t.queue.release([rerouted], t.wall(), 'back')
      same(await change({ do: 'drop' }), 1)
      same(await claimSample(t.queue), [])
      const entry = await t.queue.show(id)
      const events = entry?.history.filter(h => h.detail?.includes('carol') === true).map(h => h.event)
      same(events, ['held', 'released', 'retried', 'rerouted', 'dropped'])
      same(entry?.queued, [])
    },
  },
  {
    name: 'a dry run counts and changes nothing',
    run: async t => {
      await fill(t)
      same(await t.queue.change(where('domain=one.test'), { do: 'drop' }, 'op', { dryRun: true }), 2)
      same((await t.queue.count(all)).get('all'), 4)
    },
  },
  {
    name: 'what is being attempted is changed when its attempt has ended, and a delivery is not forgotten',
    run: async t => {
      const [held, gone, moved] = ['held@a.test', 'gone@b.test', 'moved@c.test']
      for (const rcpt of [held, gone, moved])
        await enqueueSample(t.queue, sampleMessage({ recipients: [sampleRecipient(rcpt)] }))
      const id = await enqueueSample(t.queue, sampleMessage({ recipients: [sampleRecipient('done@d.test')] }))
      const claims = await claimSample(t.queue)
      same(await t.queue.change(where(`rcpt=${held}`), { do: 'hold' }, 'op'), 1)
      same(await t.queue.change(where(`rcpt=${gone}`), { do: 'drop' }, 'op'), 1)
      same(await t.queue.change(where(`rcpt=${moved}`), { do: 'reroute', site: 'smtp:x.test:25' as SiteKey }, 'op'), 1)
      same(await t.queue.change(where('rcpt=done@d.test'), { do: 'drop' }, 'op'), 1)
      const results = await t.queue.settle(
        claims.map(c => ({
          lease: c,
          fate:
            c.id === id
              ? ({ to: 'delivered' } as const)
              : ({ to: 'retry', due: t.wall() + 1e6, why: 'later' } as const),
        })),
      )
      same(results, ['ok', 'ok', 'ok', 'ok'])
      same(
        (await t.queue.show(id))?.history.map(h => h.event),
        ['received', 'delivered'],
      )
      const { rows } = await t.queue.list(all, { limit: 10 })
      same(
        rows.map(r => [r.rcpt, r.state, r.site]),
        [
          [held, 'held', 'mx:a.test'],
          [moved, 'ready', 'smtp:x.test:25'],
        ],
      )
    },
  },
  {
    name: 'a change reaches every delivery, however many',
    run: async t => {
      const recipients = Array.from({ length: 1200 }, (_, i) => sampleRecipient(`u${i}@there.test`))
      await enqueueSample(t.queue, sampleMessage({ recipients }))
      same(await t.queue.change(all, { do: 'hold' }, 'op'), 1200)
      same(Object.fromEntries(await t.queue.count(all, 'state')), { held: 1200 })
    },
  },
  {
    name: 'an operator sees a message as it would be sent; an unknown id is nothing',
    run: async t => {
      const id = await enqueueSample(t.queue, sampleMessage({ head: new TextEncoder().encode('A: b\r\n\r\n') }), 'Hi')
      const body = await t.queue.open(id)
      same(body && (await textOf(body)), 'A: b\r\n\r\nHi')
      const unknown = t.queue.newId()
      same([await t.queue.open(unknown), await t.queue.show(unknown)], [undefined, undefined])
    },
  },
]
