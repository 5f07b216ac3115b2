import { describe, expect, test } from 'vitest'
import { localError, noSuchMailbox, policyFailure, defer, reject } from '@posthorn/reply'
import { Expander } from '@posthorn/plugin'
import type { Expanded, ExpansionTerms, HookFn, Recipient } from '@posthorn/plugin'
import { benchOf, box, plugin, rcpt } from './setup.ts'

type Resolve = HookFn<'resolve'>
const tableOf =
  (rows: Readonly<Record<string, ReturnType<Resolve>>>): Resolve =>
  ({ to }) =>
    rows[to.local]
const at = (name: string): Recipient => rcpt(`${name}@example.org`)
const members = (...names: readonly string[]) => ({ expand: names.map(at) })
const fail: ExpansionTerms = { depth: 3, addresses: 5, loops: 'fail' }
const skip: ExpansionTerms = { ...fail, loops: 'skip' }

const expand = async (resolve: Resolve, terms = fail, recipient = at('a')): Promise<Expanded> => {
  const { chain, ctx } = await benchOf([plugin('r', { resolve })])
  return new Expander(chain, terms).expand(recipient, ctx)
}
const names = (expanded: Expanded): readonly string[] =>
  expanded.ok ? expanded.goesTo.map(({ to }) => to.local) : [`${expanded.to.local}: ${expanded.why}`]

describe('the expansion of a recipient', () => {
  test('that is a mailbox or left to a transport is that, at once, and what was asked of it stays with it', async () => {
    const { chain, ctx } = await benchOf([
      plugin('r', { resolve: tableOf({ a: { mailbox: 'm' }, b: { transport: 't', arg: 'x' } }) }),
    ])
    const expander = new Expander(chain, fail)
    const asked: Recipient = { ...at('a'), notify: 'never', orcpt: 'rfc822;x@y.example', returnPath: null }
    expect(expander.expand(asked, ctx)).toEqual({
      ok: true,
      goesTo: [{ to: asked.to, destination: { mailbox: 'm' } }],
      missing: [],
    })
    expect(expander.expand(at('b'), ctx)).toMatchObject({ goesTo: [{ destination: { transport: 't', arg: 'x' } }] })
  })

  test('is synchronous while plugins are, and the same when they are not', async () => {
    const rows = { a: members('b', 'c'), b: members('d'), c: { mailbox: 'c' }, d: { mailbox: 'd' } }
    const { chain, ctx } = await benchOf([plugin('r', { resolve: tableOf(rows) })])
    const now = new Expander(chain, fail).expand(at('a'), ctx)
    expect(now).not.toBeInstanceOf(Promise)
    const late = await expand(async recipient => tableOf(rows)(recipient, ctx))
    expect(late).toEqual(now)
    expect(names(late)).toEqual(['c', 'd'])
  })

  test('gives members the return path of the nearest list, and what a plugin asked of them', async () => {
    const owner = box('owner@example.org')
    const expanded = await expand(
      tableOf({
        a: { expand: [{ ...at('b'), notify: ['delay'] }, at('c')], returnPath: owner, keep: 'a' },
        b: { mailbox: 'b' },
        c: { expand: [at('d'), { ...at('e'), returnPath: null }] },
        d: { mailbox: 'd' },
        e: { mailbox: 'e' },
      }),
      fail,
      { ...at('a'), notify: ['success'], returnPath: box('other@example.org') },
    )
    expect(expanded).toEqual({
      ok: true,
      goesTo: [
        { to: at('a').to, destination: { mailbox: 'a' } },
        { to: at('b').to, destination: { mailbox: 'b' }, returnPath: owner, notify: ['delay'] },
        { to: at('d').to, destination: { mailbox: 'd' }, returnPath: owner },
        { to: at('e').to, destination: { mailbox: 'e' }, returnPath: null },
      ],
      missing: [],
    })
  })

  test('counts an address once that is reached twice, whatever its letters', async () => {
    const rows = { a: members('b', 'c', 'b'), c: members('b', 'B'), b: { mailbox: 'b' }, B: { mailbox: 'B' } }
    expect(names(await expand(tableOf(rows), { ...fail, addresses: 3 }))).toEqual(['b', 'B'])
  })

  test('leaves out members that do not exist, and says so, unless none is left', async () => {
    const rows = { a: members('b', 'gone', 'nobody'), b: { mailbox: 'b' }, gone: reject(550, '5.1.6', 'Moved') }
    expect(await expand(tableOf(rows))).toMatchObject({
      goesTo: [{ to: at('b').to }],
      missing: [at('gone').to, at('nobody').to],
    })
    expect(await expand(tableOf({ a: members('nobody') }))).toMatchObject({
      ok: false,
      to: at('a').to,
      stop: noSuchMailbox,
    })
  })

  test('ends with the recipient that does not exist, and with the member that cannot be told now', async () => {
    const moved = reject(550, '5.1.6', 'Moved')
    const later = defer(450, '4.2.1', 'Later')
    expect(await expand(tableOf({}))).toEqual({ ok: false, to: at('a').to, stop: noSuchMailbox, why: undefined })
    expect(await expand(tableOf({ a: moved }))).toMatchObject({ ok: false, stop: moved })
    expect(await expand(tableOf({ a: members('b'), b: later }))).toMatchObject({ to: at('b').to, stop: later })
    const broken: Resolve = ({ to }) => (to.local === 'a' ? members('b') : Promise.reject(new Error('x')))
    expect(await expand(broken)).toEqual({
      ok: false,
      to: at('b').to,
      stop: policyFailure,
      why: 'resolve failed in r',
    })
  })

  test.each([
    ['itself', { a: members('b', 'a'), b: { mailbox: 'b' } }, 'a: a@example.org expands to itself'],
    [
      'itself by others',
      { a: members('b'), b: members('c', 'd'), c: members('a'), d: { mailbox: 'b' } },
      'c: a@example.org expands to itself',
    ],
  ])('fails for now at a loop to %s, or goes round it', async (_, rows, why) => {
    const failed = await expand(tableOf(rows))
    expect(failed).toMatchObject({ ok: false, stop: localError })
    expect(names(failed)).toEqual([why])
    expect(await expand(tableOf(rows), skip)).toMatchObject({ ok: true, goesTo: [{ destination: { mailbox: 'b' } }] })
  })

  test('that is nothing but a loop is nobody', async () => {
    expect(await expand(tableOf({ a: members('a') }), skip)).toMatchObject({ ok: false, stop: noSuchMailbox })
  })

  test.each([
    ['in depth', { a: members('b'), b: members('c'), c: members('d'), d: { mailbox: 'd' } }, undefined],
    [
      'in depth',
      { a: members('b'), b: members('c'), c: members('d'), d: members('e') },
      'd: addresses expand too deep',
    ],
    ['in number', { a: members('b', 'c', 'd', 'e', 'f') }, undefined],
    ['in number', { a: members('b', 'c', 'd'), b: members('e', 'f', 'g') }, 'b: addresses expand to too many'],
  ])('has an end %s', async (_, rows, why) => {
    const mailboxes: Resolve = ({ to }, ctx) => tableOf(rows)({ to }, ctx) ?? { mailbox: to.local }
    const expanded = await expand(mailboxes)
    expect(expanded.ok ? undefined : [stopCode(expanded), ...names(expanded)]).toEqual(why && [451, why])
  })
})

const stopCode = (expanded: Expanded): number | undefined =>
  !expanded.ok && 'code' in expanded.stop ? expanded.stop.code : undefined
