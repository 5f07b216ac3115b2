import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Filter, FilterField } from '@posthorn/contracts'
import { filterFields, formatFilter, parseFilter, readFilter } from './index.ts'

const id = '0SA9BFCCW00M8SK'
const text = (field: FilterField): fc.Arbitrary<Filter['and'][number]> =>
  fc.record({
    field: fc.constant(field),
    op: fc.constantFrom('=', '~'),
    value: fc.oneof(fc.string({ minLength: 1, unit: 'binary' }), fc.constantFrom('<>', '"', '\\', '" "')),
  })
const counted = (field: FilterField, ops: readonly ('=' | '<' | '>')[], units: readonly string[]) =>
  fc.record({
    field: fc.constant(field),
    op: fc.constantFrom(...ops),
    value: fc.tuple(fc.nat(), fc.constantFrom(...units)).map(([n, unit]) => `${n % 1_000_000_000}${unit}`),
  })
const term: fc.Arbitrary<Filter['and'][number]> = fc.oneof(
  ...(['site', 'sender', 'rcpt', 'domain', 'why', 'tag', 'user', 'origin', 'reply'] as const).map(text),
  fc.constantFrom(...(['sender', 'user', 'why'] as const)).map(field => ({ field, op: '=', value: '' }) as const),
  fc.constantFrom('ready', 'leased', 'held', 'unknown').map(value => ({ field: 'state', op: '=', value }) as const),
  fc.constantFrom('=', '<', '>').map(op => ({ field: 'id', op, value: id }) as const),
  counted('age', ['<', '>'], ['', 's', 'm', 'h', 'd', 'w']),
  counted('size', ['=', '<', '>'], ['', 'k', 'M', 'G']),
  counted('attempts', ['=', '<', '>'], ['']),
)

test('what is printed is read back as it was', () => {
  fc.assert(
    fc.property(fc.array(term, { maxLength: 20 }), and => {
      expect(parseFilter(formatFilter({ and }))).toEqual({ ok: true, filter: { and } })
    }),
  )
})

test('any text at all is a filter or is refused in words, and a filter that is read can be asked', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(fc.string())), input => {
      const parsed = parseFilter(input)
      const words = parsed.ok ? readFilter(parsed.filter).map(c => c.field) : parsed.problem.split(' ')
      expect(words.length).toBe(parsed.ok ? parsed.filter.and.length : Math.max(3, words.length))
    }),
  )
})

test.each([
  ['', []],
  [id, [{ field: 'id', op: '=', value: id }]],
  ['site:mx:example.org', [{ field: 'site', op: '=', value: 'mx:example.org' }]],
  [
    '  age>1w\tattempts=3 ',
    [
      { field: 'age', op: '>', value: '1w' },
      { field: 'attempts', op: '=', value: '3' },
    ],
  ],
  [
    'reply~"over quota" state:held',
    [
      { field: 'reply', op: '~', value: 'over quota' },
      { field: 'state', op: '=', value: 'held' },
    ],
  ],
  ['sender:<>', [{ field: 'sender', op: '=', value: '' }]],
  ['sender:', [{ field: 'sender', op: '=', value: '' }]],
  [`rcpt:"a\\"b"@x.test`, [{ field: 'rcpt', op: '=', value: `"a\\"b"@x.test` }]],
  ['reply<500', [{ field: 'reply', op: '<', value: '500' }]],
])('the text %j', (input, and) => {
  expect(parseFilter(input)).toEqual({ ok: true, filter: { and } })
})

test('words that a shell has taken apart keep their spaces', () => {
  expect(parseFilter(['reply~over quota', 'why~"a b"'])).toEqual({
    ok: true,
    filter: {
      and: [
        { field: 'reply', op: '~', value: 'over quota' },
        { field: 'why', op: '~', value: 'a b' },
      ],
    },
  })
})

test.each([
  ['colour:red', /"colour" is not a field to filter by; there are id, site, .*origin/],
  ['age>soon', /"soon" is not an age such as/],
  ['age:5', /age can't be compared with :; it takes < or >/],
  ['sender>5', /sender can't be compared with >; it takes : or ~/],
  ['size>10q', /"10q" is not a whole number/],
  ['state:lost', /"lost" is not one of ready, leased, held, unknown/],
  ['id:short', /"short" is not a whole queue id/],
  ['reply>x', /"x" is not a reply code/],
  ['site:', /site: names no value/],
  ['what?', /neither a queue id nor a term/],
  ['reply~"over', /a quotation mark is not closed/],
  ['tag:x '.repeat(51), /at most 50 terms/],
])('%j is refused and says what is allowed', (input, problem) => {
  expect(parseFilter(input)).toEqual({ ok: false, problem: expect.stringMatching(problem) as string })
})

test.each([
  ['age>90', { field: 'age', op: '>', ms: 90_000 }],
  ['age<1w', { field: 'age', op: '<', ms: 604_800_000 }],
  ['size>10k', { field: 'size', op: '>', number: 10_240 }],
  ['size:5M', { field: 'size', op: '=', number: 5_242_880 }],
  ['reply>499', { field: 'reply', op: '>', code: 499 }],
  ['tag:vip', { field: 'tag', op: '=', text: 'vip' }],
])('the meaning of %j', (input, condition) => {
  const parsed = parseFilter(input)
  expect(parsed.ok && readFilter(parsed.filter)).toEqual([condition])
})

test('what comes from elsewhere as data is checked as the text is', () => {
  const odd = [
    { field: 'constructor', op: '=', value: 'x' },
    { field: 'rcpt', op: '!', value: 'x' },
    { field: 'rcpt', op: '=' },
  ]
  for (const one of odd) expect(() => readFilter({ and: [one as never] })).toThrow(RangeError)
  expect(() => readFilter({ and: Array.from({ length: 51 }, () => ({ field: 'site', op: '=', value: 'x' })) })).toThrow(
    RangeError,
  )
  expect(filterFields).toContain('why')
})
