import type { Change, Claim, Filter, SiteKey, Suspended } from '@posthorn/contracts'
import { holds, same } from './check.ts'
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
const site = (name: string): SiteKey => name as SiteKey

const put = (t: QueueUnderTest, rcpt: string, from = 'alice@here.test'): Promise<string> =>
  enqueueSample(
    t.queue,
    sampleMessage({
      recipients: [sampleRecipient(rcpt)],
      envelope: { returnPath: from === '' ? null : sampleMailbox(from) },
    }),
  )
/** A fresh message whose acceptor wants it leased at once. */
const putLeased = async (t: QueueUnderTest, rcpt: string, from: string): Promise<readonly Claim[]> => {
  const draft = t.queue.begin()
  await draft.write(new TextEncoder().encode('Hi'))
  const envelope = { returnPath: sampleMailbox(from) }
  return draft.commit(sampleMessage({ recipients: [sampleRecipient(rcpt)], envelope }), {
    owner: sampleOwner,
    leaseMs: 60_000,
  })
}
const rcpts = async (t: QueueUnderTest): Promise<readonly string[]> =>
  (await claimSample(t.queue)).map(c => c.to.to.wire)
const states = async (t: QueueUnderTest): Promise<unknown> => Object.fromEntries(await t.queue.count(all, 'state'))

/** What operators change, stop and let go on. */
export const queueChangeCases: readonly ContractCase<QueueUnderTest>[] = [
  {
    name: 'a bounce is due at once, also of what is held, deferred or for a paused site, and its claim says so',
    run: async t => {
      const [held, later, paused] = ['held@a.test', 'later@b.test', 'paused@c.test']
      await put(t, held)
      await t.queue.change(all, { do: 'hold' }, 'ann')
      const recipients = [sampleRecipient(later, { due: t.wall() + 1e6 })]
      await enqueueSample(t.queue, sampleMessage({ recipients }))
      await t.queue.pause(site('mx:c.test'), t.wall() + 1e6, 'dead')
      await put(t, paused)
      same(await t.queue.change(all, { do: 'bounce', why: 'this address was closed' }, 'ann'), 3)
      const claims = await claimSample(t.queue)
      same(
        claims.map(c => [c.to.to.wire, c.bounce, c.attempts]),
        [
          [held, 'this address was closed', 0],
          [later, 'this address was closed', 0],
          [paused, 'this address was closed', 0],
        ],
      )
      await t.queue.release(claims, t.wall(), 'no room')
      same(
        (await claimSample(t.queue)).map(c => c.bounce),
        claims.map(c => c.bounce),
        'released, it is still so',
      )
    },
  },
  {
    name: 'a bounce without a reason has one for the sender, and a reroute takes it back',
    run: async t => {
      await put(t, 'bob@there.test')
      await t.queue.change(all, { do: 'bounce' }, 'ann')
      const [claim] = await claimSample(t.queue)
      holds((claim?.bounce ?? '').length > 10, 'words for the sender')
      holds(claim?.bounce?.includes('ann') === false, 'but not who it was')
      if (claim !== undefined) await t.queue.release([claim], t.wall(), 'back')
      same(await t.queue.change(all, { do: 'reroute', site: site('mx:else.test') }, 'ann'), 1)
      same(
        (await claimSample(t.queue)).map(c => [c.site, c.bounce]),
        [['mx:else.test', undefined]],
      )
    },
  },
  {
    name: 'a bounce of what is being attempted waits for the end of the attempt, and is forgotten when that succeeds',
    run: async t => {
      await put(t, 'fails@a.test')
      await put(t, 'arrives@b.test')
      const claims = await claimSample(t.queue)
      same(await t.queue.change(all, { do: 'bounce' }, 'ann'), 2)
      for (const lease of claims)
        await t.queue.settle([
          lease.site === 'mx:a.test'
            ? { lease, fate: { to: 'retry', due: t.wall() + 1e6, why: 'later' } }
            : { lease, fate: { to: 'relayed' } },
        ])
      same(
        (await claimSample(t.queue)).map(c => [c.to.to.wire, c.bounce !== undefined]),
        [['fails@a.test', true]],
      )
    },
  },
  {
    name: 'a retry is now, also when a dispatcher has paused the site',
    run: async t => {
      await t.queue.pause(site('mx:there.test'), t.wall() + 1e6, 'dead')
      await put(t, 'bob@there.test')
      same(await rcpts(t), [])
      same(await t.queue.change(all, { do: 'retry' }, 'ann'), 1)
      same(await rcpts(t), ['bob@there.test'])
    },
  },
  {
    name: 'every change leaves a row in the history with who it was and why',
    run: async t => {
      const id = await enqueueSample(t.queue)
      const changes: readonly Change[] = [
        { do: 'hold', why: 'looks odd' },
        { do: 'release', why: 'is fine' },
        { do: 'retry', why: 'again' },
        { do: 'reroute', site: site('smtp:x.test:25'), why: 'the other way' },
        { do: 'bounce', why: 'no longer' },
        { do: 'drop', why: 'asked by its sender' },
      ]
      for (const change of changes) same(await t.queue.change(all, change, 'ann'), 1)
      const history = (await t.queue.show(id))?.history.slice(1)
      same(
        history?.map(h => h.event),
        ['held', 'released', 'retried', 'rerouted', 'condemned', 'dropped'],
      )
      history?.forEach((h, i) => {
        holds(h.detail?.includes('by ann') === true, `who: ${h.detail}`)
        holds(h.detail?.includes(changes[i]?.why ?? '?') === true, `why: ${h.detail}`)
      })
    },
  },
  {
    name: 'every change is an event that names the delivery, the operator and the reason; a dry run is none',
    run: async t => {
      if (t.events === undefined) return
      const seen = t.events.length
      const id = await put(t, 'bob@there.test')
      await put(t, 'eve@other.test')
      const f: Filter = { and: [{ field: 'rcpt', op: '=', value: 'bob@there.test' }] }
      await t.queue.change(f, { do: 'drop' }, 'ann', { dryRun: true })
      await t.queue.change(f, { do: 'hold', why: 'look' }, 'ann')
      await t.queue.change(f, { do: 'drop' }, 'ben')
      const told = t.events.slice(seen).filter(e => e.name.startsWith('delivery.'))
      const delivery = { id, rcpt: 'bob@there.test', site: 'mx:there.test' }
      same(told, [
        { name: 'delivery.held', fields: { ...delivery, by: 'ann', why: 'look' } },
        { name: 'delivery.dropped', fields: { ...delivery, by: 'ben' } },
      ])
    },
  },
  {
    name: 'a change that waited for the end of an attempt is an event when it happens, not before',
    run: async t => {
      if (t.events === undefined) return
      await put(t, 'bob@there.test')
      const [lease] = await claimSample(t.queue)
      if (lease === undefined) throw new Error('nothing to claim')
      const seen = t.events.length
      await t.queue.change(all, { do: 'drop' }, 'ann')
      same(t.events.length, seen)
      await t.queue.settle([{ lease, fate: { to: 'retry', due: t.wall(), why: 'later' } }])
      same(
        t.events.slice(seen).map(e => [e.name, e.fields['by']]),
        [['delivery.dropped', 'ann']],
      )
    },
  },
  {
    name: 'nothing of a suspended site is claimed until it is resumed, whatever its dispatcher says',
    run: async t => {
      const what: Suspended = { site: site('mx:there.test') }
      await put(t, 'old@there.test')
      await put(t, 'bob@other.test')
      same(await t.queue.suspend(what, 'ann', { why: 'migration', dryRun: true }), 1)
      same(await t.queue.suspensions(), [], 'a dry run')
      same(await t.queue.suspend(what, 'ann', { why: 'migration' }), 1)
      const [waiting] = (
        await t.queue.list({ and: [{ field: 'rcpt', op: '=', value: 'old@there.test' }] }, { limit: 1 })
      ).rows
      same(waiting?.waits, { why: 'its site is suspended by ann: migration' })
      same(await putLeased(t, 'new@there.test', 'alice@here.test'), [], 'what a fresh commit leases')
      await t.queue.pause(what.site, t.wall() + 1000, 'dead')
      await t.queue.pause(what.site, t.wall(), 'it is back')
      same(await rcpts(t), ['bob@other.test'])
      await t.queue.change(all, { do: 'retry' }, 'ben')
      await t.advance(1e9)
      same((await rcpts(t)).includes('old@there.test'), false)
      same(await t.queue.suspensions(), [{ what, at: t.wall() - 1e9, by: 'ann', why: 'migration' }])
      const queue = await t.reopen()
      same(
        (await claimSample(queue)).map(c => c.to.to.wire),
        ['bob@other.test'],
        'after another start',
      )
      same(await queue.resume(what, 'ben'), 2)
      const claims = await claimSample(queue)
      same(
        claims.map(c => c.to.to.wire),
        ['old@there.test', 'new@there.test'],
      )
      holds(
        claims.every(c => (c.heldMs ?? 0) >= 1e9),
        'the time of the suspension counts as time on hold',
      )
      same(await queue.suspensions(), [])
      same(await queue.resume(what, 'ben'), undefined)
    },
  },
  {
    name: 'mail of a suspended sender is held, what waits and what comes, and resuming releases that and nothing else',
    run: async t => {
      const what: Suspended = { sender: 'Alice@here.test' }
      await put(t, 'kept@a.test')
      await t.queue.change(all, { do: 'hold' }, 'ann')
      await put(t, 'waits@b.test')
      await put(t, 'other@c.test', 'bob@here.test')
      same(await t.queue.suspend(what, 'ann', { why: 'its password was stolen' }), 1)
      same(await putLeased(t, 'comes@d.test', 'ALICE@here.test'), [])
      same(await rcpts(t), ['other@c.test'])
      same(await states(t), { held: 3, leased: 1 })
      const { rows } = await t.queue.list({ and: [{ field: 'rcpt', op: '=', value: 'comes@d.test' }] }, { limit: 1 })
      holds(rows[0]?.why?.includes('its password was stolen') === true, 'the list says why')
      same(await t.queue.resume(what, 'ben', { dryRun: true }), 2)
      same(await t.queue.resume(what, 'ben'), 2)
      same([...(await rcpts(t))].sort(), ['comes@d.test', 'waits@b.test'])
      same((await putLeased(t, 'again@e.test', 'alice@here.test')).length, 1)
    },
  },
  {
    name: 'the null sender can be suspended too',
    run: async t => {
      await t.queue.suspend({ sender: '' }, 'ann')
      await put(t, 'bounce@a.test', '')
      await put(t, 'mail@b.test')
      same(await rcpts(t), ['mail@b.test'])
      same(await t.queue.resume({ sender: '' }, 'ann'), 1)
    },
  },
  {
    name: 'what is left of a message can be enqueued again as it is',
    run: async t => {
      const recipients = [
        sampleRecipient('gone@a.test', { due: t.wall() }),
        sampleRecipient('left@b.test', { due: t.wall(), notify: ['delay'], orcpt: 'rfc822;x@y.test' }),
      ]
      const envelope = { user: 'alice', envid: 'Q1', ret: 'hdrs' } as const
      const message = sampleMessage({ recipients, envelope, priority: 3, tags: ['vip'], facts: { a: 1 } })
      const id = await enqueueSample(t.queue, { ...message, head: new TextEncoder().encode('A: b\r\n\r\n') }, 'Hi')
      const gone = (await claimSample(t.queue)).filter(c => c.to.to.wire === 'gone@a.test')
      await t.queue.settle(gone.map(lease => ({ lease, fate: { to: 'delivered' } })))
      const entry = await t.queue.show(id)
      same(entry?.message, { ...message, recipients: recipients.slice(1) })
      const body = await t.queue.open(id)
      same(body && (await textOf(body)), 'A: b\r\n\r\nHi')
      await t.queue.change({ and: [] }, { do: 'drop' }, 'ann')
      const left = await t.queue.show(gone[0]?.id ?? id)
      same(left?.queued.length, 1, 'it is being attempted')
    },
  },
]
