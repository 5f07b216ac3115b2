import type { Claim, NewRecipient, QueueId } from '@posthorn/contracts'
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

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Of 300 kB, in which every part differs. */
const longText = (): string =>
  Array.from({ length: 10_000 }, (_, i) => `line ${i} of this mail, 30 octets\r\n`).join('')

const write = async (t: QueueUnderTest, text: string, message = sampleMessage()): Promise<readonly Claim[]> => {
  const draft = t.queue.begin()
  for (let at = 0; at < text.length; at += 10_000) await draft.write(bytes(text.slice(at, at + 10_000)))
  await draft.end()
  return draft.commit(message, { owner: sampleOwner, leaseMs: 60_000 })
}

/** Messages on their way into the queue. */
export const queueIntakeCases: readonly ContractCase<QueueUnderTest>[] = [
  {
    name: 'a committed message is claimed with its head before its body, for each recipient',
    run: async t => {
      const recipients = [sampleRecipient('bob@there.test'), sampleRecipient('eve@there.test')]
      const id = await enqueueSample(
        t.queue,
        sampleMessage({ recipients, head: bytes('Subject: x\r\n\r\n') }),
        'Hi\r\n',
      )
      const claims = await claimSample(t.queue)
      same(
        claims.map(c => [c.id, c.to.to.wire, c.attempts]),
        [
          [id, 'bob@there.test', 0],
          [id, 'eve@there.test', 0],
        ],
      )
      for (const { body } of claims) {
        same(await textOf(body), 'Subject: x\r\n\r\nHi\r\n')
        same(body.size, 18)
      }
    },
  },
  {
    name: 'everything that the envelope and the recipients say survives the store',
    run: async t => {
      const recipient: NewRecipient = {
        ...sampleRecipient('"bob smith"@there.test'),
        to: { ...sampleMailbox('bob smith@there.test'), wire: '"bob smith"@there.test' },
        orcpt: 'rfc822;bob@old.test',
        notify: ['success', 'delay'],
        returnPath: sampleMailbox('list-owner@here.test'),
        due: t.wall(),
      }
      const quiet: NewRecipient = {
        ...sampleRecipient('eve@there.test'),
        notify: 'never',
        returnPath: null,
        due: t.wall(),
      }
      const envelope = {
        returnPath: sampleMailbox('jörg@here.test'),
        origin: 'submission',
        user: 'joerg',
        envid: 'QQ314159',
        ret: 'hdrs',
        smtputf8: true,
        body: '8bitmime',
        requireTls: true,
        deliverBy: { at: t.wall() + 3_600_000, mode: 'notify', trace: true },
      } as const
      const message = {
        envelope,
        recipients: [recipient, quiet],
        priority: -3,
        tags: ['a b', 'ü'],
        expires: t.wall() + 1e9,
      }
      await enqueueSample(t.queue, message)
      const claims = await claimSample(t.queue)
      same(
        claims.map(c => c.to),
        [recipient, quiet],
      )
      for (const c of claims) {
        same(c.envelope, envelope)
        same([c.priority, c.tags, c.expires, c.arrived], [-3, ['a b', 'ü'], t.wall() + 1e9, t.wall()])
      }
    },
  },
  {
    name: 'the null reverse-path stays null',
    run: async t => {
      await enqueueSample(t.queue, sampleMessage({ envelope: { returnPath: null, origin: 'bounce' } }))
      same((await claimSample(t.queue))[0]?.envelope.returnPath, null)
    },
  },
  {
    name: 'a draft can be read between its end and its commit, again and again',
    run: async t => {
      const draft = t.queue.begin()
      await draft.write(bytes('one '))
      await draft.write(bytes('two'))
      const body = await draft.end()
      same([await textOf(body), await textOf(body), body.size], ['one two', 'one two', 7])
      await draft.commit(sampleMessage())
    },
  },
  {
    name: 'a large message comes back octet for octet, fresh and claimed again',
    run: async t => {
      const text = longText()
      const [fresh] = await write(t, text, sampleMessage({ head: bytes('A: b\r\n\r\n') }))
      holds(fresh !== undefined, 'the fresh message was leased')
      if (fresh === undefined) return
      same(fresh.body.size, text.length + 8)
      holds((await textOf(fresh.body)) === `A: b\r\n\r\n${text}`, 'the fresh body is what was written')
      await t.queue.release([fresh], t.wall(), 'no room')
      const [again] = await claimSample(t.queue)
      holds(again !== undefined && (await textOf(again.body)) === `A: b\r\n\r\n${text}`, 'the claimed body is the same')
      holds(again !== undefined && (await textOf(again.body)).length === text.length + 8, 'it can be read again')
    },
  },
  {
    name: 'nothing remains of an aborted draft, small or large',
    run: async t => {
      for (const text of ['short', longText()]) {
        const draft = t.queue.begin()
        await draft.write(bytes(text))
        await draft.abort()
        await draft.abort()
        same(await t.queue.show(draft.id), undefined)
      }
      same(await claimSample(t.queue), [])
    },
  },
  {
    name: 'a fresh message is leased to its acceptor in the step that commits it',
    run: async t => {
      const [claim] = await write(t, 'Hi\r\n')
      same([claim?.to.to.wire, claim?.attempts, claim?.arrived], ['bob@there.test', 0, t.wall()])
      same(await claimSample(t.queue), [], 'what another claim gets')
      same(claim && (await t.queue.settle([{ lease: claim, fate: { to: 'delivered' } }])), ['ok'])
    },
  },
  {
    name: 'of a fresh message only what is due now is leased',
    run: async t => {
      const later = sampleRecipient('eve@there.test', { due: t.wall() + 5000 })
      const claims = await write(t, 'Hi', sampleMessage({ recipients: [sampleRecipient('bob@there.test'), later] }))
      same(
        claims.map(c => c.to.to.wire),
        ['bob@there.test'],
      )
      await t.advance(5000)
      same(
        (await claimSample(t.queue)).map(c => c.to.to.wire),
        ['eve@there.test'],
      )
    },
  },
  {
    name: 'a held message is claimed by nobody, not even by its acceptor, and says why',
    run: async t => {
      same(await write(t, 'Hi', sampleMessage({ held: 'spam' })), [])
      same(await claimSample(t.queue), [])
      const { rows } = await t.queue.list({ and: [] }, { limit: 10 })
      same(
        rows.map(r => [r.state, r.why]),
        [['held', 'spam']],
      )
    },
  },
  {
    name: 'many commits at once are all kept',
    run: async t => {
      const ids = await Promise.all(
        Array.from({ length: 300 }, (_, i) => enqueueSample(t.queue, sampleMessage(), `${i}`)),
      )
      same(new Set(ids).size, 300)
      same((await t.queue.count({ and: [] })).get('all'), 300)
    },
  },
  {
    name: 'ids are short, printable, and sort in the order they were given',
    run: async t => {
      const ids = [t.queue.newId(), t.queue.begin().id, t.queue.newId()]
      await t.advance(10)
      ids.push(t.queue.newId())
      same([...ids].sort(), ids)
      for (const id of ids) holds(/^[0-9A-Za-z]{10,26}$/.test(id), `${id} is printable`)
    },
  },
  {
    name: 'a draft may be begun under an id that was given before, and under no other word',
    run: async t => {
      const id = t.queue.newId()
      const draft = t.queue.begin(2, id)
      same(draft.id, id)
      await draft.write(bytes('Hi'))
      await draft.end()
      await draft.commit(sampleMessage())
      same(
        (await claimSample(t.queue)).map(c => c.id),
        [id],
      )
      const other = async (): Promise<unknown> => {
        const begun = t.queue.begin(2, '../../etc/passwd' as QueueId)
        await begun.end()
        return begun.commit(sampleMessage())
      }
      same((await failureOf(other)).name, 'RangeError')
    },
  },
  {
    name: 'a closed queue takes nothing, with a StoreError',
    run: async t => {
      const draft = t.queue.begin()
      await t.queue.close()
      same([(await failureOf(() => t.queue.begin())).name], ['StoreError'])
      same([(await failureOf(() => draft.commit(sampleMessage()))).name], ['StoreError'])
    },
  },
  {
    name: 'what was committed before the store is opened again is there, and its old leases are not',
    run: async t => {
      const [old] = await write(t, longText(), sampleMessage({ head: bytes('A: b\r\n\r\n') }))
      const queue = await t.reopen()
      const claims = await claimSample(queue)
      same([claims.length, claims[0]?.id], [1, old?.id])
      holds(
        claims[0] !== undefined && (await textOf(claims[0].body)) === `A: b\r\n\r\n${longText()}`,
        'the body is the same',
      )
      same(old && (await queue.settle([{ lease: old, fate: { to: 'delivered' } }])), ['stale'])
      same(claims[0] && (await queue.settle([{ lease: claims[0], fate: { to: 'delivered' } }])), ['ok'])
    },
  },
]
