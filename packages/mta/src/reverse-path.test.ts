import { memoryKeyValue, manualClock, testPlugin } from '@posthorn/testkit'
import type { PluginHarness } from '@posthorn/testkit'
import { pass, permit } from '@posthorn/plugin'
import { bounceNotOurs, bounceTooLate } from '@posthorn/reply'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { DAY } from '../test/station.ts'
import { BounceTags } from './bounce-tags.ts'
import { reversePath } from './reverse-path.ts'
import type { ReversePathOptions } from './reverse-path.ts'

interface World {
  readonly h: PluginHarness
  readonly tags: BounceTags
  /** The return path of mail from `sender` that goes to `to`. */
  readonly path: (sender: string, to?: string) => Promise<string>
}
interface Setting extends Partial<Pick<ReversePathOptions, 'form' | 'refuse'>> {
  readonly keys?: readonly string[]
  readonly domain?: string
  readonly kv?: ReturnType<typeof memoryKeyValue>
  readonly clock?: ReturnType<typeof manualClock>
}
const setup = async (o: Setting = {}): Promise<World> => {
  const clock = o.clock ?? manualClock()
  const kv = o.kv ?? memoryKeyValue(clock)
  const keys = o.keys ?? ['the first key of all']
  const tags = new BounceTags({
    keys,
    lifetimeMs: 7 * DAY,
    kv,
    clock,
    ...(o.domain === undefined ? {} : { domain: o.domain }),
  })
  const isLocalDomain = (domain: string): boolean => domain === 'us.example'
  const plugin = reversePath({ tags, form: o.form ?? 'signed', refuse: o.refuse ?? 'forged', isLocalDomain })
  const h = await testPlugin(plugin, { clock, kv })
  return {
    h,
    tags,
    path: async (sender, to = 'bob@them.example') => {
      await h.mail(sender)
      const answer = await h.returnPath(to)
      if (answer === undefined || !('wire' in answer)) throw new Error(`no return path for ${sender}`)
      return answer.wire
    },
  }
}
const long = `${'a-very-long-name.'.repeat(3)}x@us.example`

describe('mail that leaves', () => {
  it.each([
    ['from nobody', null, 'mx:them.example'],
    ['from elsewhere, forwarded', 'carl@far.example', 'mx:them.example'],
    ['to a mailbox of ours', 'ann@us.example', 'local:bob'],
    ['to our LMTP server', 'ann@us.example', 'lmtp:127.0.0.1:24'],
    ['with a tag already', 'prvs=0000abcdefabcd=ann@us.example', 'mx:them.example'],
  ])('keeps its return path when it is %s', async (_, sender, site) => {
    const { h } = await setup()
    await h.mail(sender)
    expect(await h.returnPath('bob@them.example', { site })).toBeUndefined()
  })

  it.each([
    ['signed', 'ann@us.example', /^prvs=0\d{3}[0-9a-f]{10}=ann@us\.example$/],
    ['verp', 'ann@us.example', /^prvs=1\d{3}[0-9a-f]{10}=\w+\.[0-9a-f]{6}=ann@us\.example$/],
    ['signed', long, /^prvs=4\d{3}[0-9a-f]{10}=[0-9a-f]{24}@us\.example$/],
    ['verp', long, /^prvs=4\d{3}[0-9a-f]{10}=[0-9a-f]{24}@us\.example$/],
    ['signed', '"a b"@us.example', /^prvs=4/],
    ['signed', 'gr\u00fcn@us.example', /^prvs=4/],
    ['signed', '50%off@us.example', /^prvs=4/],
  ] as const)('has one with %s tag for %s, which leads back to it', async (form, sender, shape) => {
    const { h, path } = await setup({ form })
    const tagged = await path(sender)
    expect(tagged).toMatch(shape)
    expect(tagged.lastIndexOf('@')).toBeLessThanOrEqual(64)
    for (const bounce of [null, 'a.person@them.example']) {
      await h.mail(bounce)
      for (const written of [tagged, tagged.toLowerCase(), tagged.toUpperCase()]) {
        expect(await h.rcpt(written)).toBe(permit)
        const back = await h.resolve(written)
        expect(back).toMatchObject({ expand: [{ to: { domain: 'us.example' } }] })
        const to = (back as { readonly expand: readonly { readonly to: { readonly wire: string } }[] }).expand[0]?.to
          .wire
        expect(to?.toLowerCase()).toBe(sender.toLowerCase())
      }
    }
  })

  it('has the domain that is set for bounces, and the sender’s own in it', async () => {
    const { h, path } = await setup({ domain: 'bounces.example' })
    const tagged = await path('ann=x@us.example')
    expect(tagged).toMatch(/^prvs=2\d{3}[0-9a-f]{10}=ann=x=us\.example@bounces\.example$/)
    await h.mail(null)
    expect(await h.rcpt(tagged)).toBe(permit)
    expect(await h.resolve(tagged)).toMatchObject({ expand: [{ to: mailbox('ann=x@us.example') }] })
  })

  it('has one return path for each recipient and message with verp, and one for all of a day without', async () => {
    const verp = await setup({ form: 'verp' })
    expect(await verp.path('ann@us.example')).not.toBe(await verp.path('ann@us.example', 'carl@them.example'))
    const signed = await setup()
    expect(await signed.path('ann@us.example')).toBe(await signed.path('ann@us.example', 'carl@them.example'))
  })

  it('says which message and which recipient with verp, however long the address', async () => {
    for (const sender of ['ann@us.example', long]) {
      const { tags, path } = await setup({ form: 'verp' })
      const found = await tags.read(mailbox((await path(sender)).toLowerCase()))
      if (found?.is !== 'good') throw new Error('no tag')
      const { id = '', mark = '' } = found.tagged
      expect(tags.isMarkOf(mark, id, 'BOB@them.example')).toBe(true)
      expect(tags.isMarkOf(mark, id, 'carl@them.example')).toBe(false)
    }
  })
})

describe('mail to a tagged address', () => {
  it('is taken as long as the tag lives, then refused to the null sender, and still brought to the sender from people', async () => {
    const { h, path } = await setup()
    const tagged = await path('ann@us.example')
    await h.clock.advance(7 * DAY)
    await h.mail(null)
    expect(await h.rcpt(tagged)).toBe(permit)
    await h.clock.advance(DAY)
    expect(await h.rcpt(tagged)).toBe(bounceTooLate)
    await h.mail('a.person@them.example')
    expect(await h.rcpt(tagged)).toBe(pass)
    expect(await h.resolve(tagged)).toMatchObject({ expand: [{ to: mailbox('ann@us.example') }] })
  })

  it('is taken late where nothing is to be refused', async () => {
    const { h, path } = await setup({ refuse: 'nothing' })
    const tagged = await path('ann@us.example')
    await h.clock.advance(30 * DAY)
    await h.mail(null)
    expect(await h.rcpt(tagged)).toBe(pass)
    expect(await h.resolve(tagged)).toMatchObject({ expand: [{}] })
  })

  it('that nobody here signed leads nowhere, and the null sender is told so', async () => {
    const { h, path } = await setup()
    const tagged = await path('ann@us.example')
    const forged = [
      tagged.replace('=ann@', '=bob@'),
      tagged.replace('us.example', 'them.example'),
      tagged.replace(/(prvs=0)\d{3}/, '$1999'),
      tagged.replace(/prvs=0/, 'prvs=1'),
      'prvs=4000abcdefabcd=000000000000000000000000@us.example',
    ]
    for (const address of forged) {
      await h.mail(null)
      expect(await h.rcpt(address)).toBe(bounceNotOurs)
      await h.mail('a.person@them.example')
      expect(await h.rcpt(address)).toBe(pass)
      expect(await h.resolve(address)).toBeUndefined()
    }
  })

  it('row 36: relays for nobody, even with a tag of ours for an address elsewhere', async () => {
    const { h, tags } = await setup({ domain: 'us.example' })
    for (const sender of ['victim@far.example', `${'v'.repeat(60)}@far.example`]) {
      const { wire } = await tags.tag(mailbox(sender))
      await h.mail(null)
      expect(await h.rcpt(wire)).toBe(pass)
      expect(await h.resolve(wire)).toBeUndefined()
    }
  })

  it('is known by the keys of before, and not by those of others', async () => {
    const clock = manualClock()
    const before = await setup({ clock, keys: ['the key of last year'] })
    const tagged = await before.path('ann@us.example')
    const now = await setup({ clock, keys: ['the key of this year', 'the key of last year'] })
    await now.h.mail(null)
    expect(await now.h.rcpt(tagged)).toBe(permit)
    const other = await setup({ clock, keys: ['the key of this year'] })
    await other.h.mail(null)
    expect(await other.h.rcpt(tagged)).toBe(bounceNotOurs)
  })

  it('never throws, whatever the address', async () => {
    const { tags } = await setup()
    const piece = fc.constantFrom(
      'prvs=',
      '=',
      '0',
      '1',
      '2',
      '3',
      '4',
      '000',
      'abcdefabcd',
      '.',
      'ann',
      '~',
      'us.example',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async pieces => {
        const local = pieces.join('').slice(0, 64)
        const address = { ...mailbox('x@us.example'), local, wire: `${local}@us.example` } as ReturnType<typeof mailbox>
        expect((await tags.read(address))?.is ?? 'forged').toBe('forged')
      }),
    )
  })
})

describe('bounces to addresses without a tag', () => {
  it.each([
    ['forged', pass],
    ['untagged', bounceNotOurs],
  ] as const)('with refuse: %s', async (refuse, answer) => {
    const { h } = await setup({ refuse })
    await h.mail(null)
    expect(await h.rcpt('ann@us.example')).toBe(answer)
    expect(await h.rcpt('postmaster@us.example')).toBe(pass)
    expect(await h.rcpt('ann@elsewhere.example')).toBe(pass)
    await h.mail('a.person@them.example')
    expect(await h.rcpt('ann@us.example')).toBe(pass)
  })
})
