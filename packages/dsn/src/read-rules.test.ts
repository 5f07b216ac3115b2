import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { createClassifier, readRules } from './index.ts'
import { safePattern } from './pattern.ts'

const rule = { name: 'mine', class: 'mine', text: 'x' }

describe('rules from outside', () => {
  test('are taken when they are right', () => {
    const rules = [
      { name: 'a', class: 'quota-issues', text: 'over \\d+ (?:mb|gb)', status: ['5.2.2', 'x.2.2', '5.2'], code: [552] },
      { name: 'b', class: 'my-own-class', phase: ['connect'], provider: ['mx.example.org'] },
    ]
    expect(readRules(rules)).toEqual({ ok: true, rules })
    expect(readRules([])).toEqual({ ok: true, rules: [] })
  })

  test.each([
    [{}, '', 'is not a list'],
    [[3], '[0]', 'is not a rule such as'],
    [[rule, null], '[1]', 'found null'],
    [
      [{ ...rule, nmae: 'x' }],
      '[0].nmae',
      'unknown key; allowed here: name, class, text, status, code, phase, provider',
    ],
    [[{ class: 'a', text: 'x' }], '[0].name', 'is missing'],
    [[{ name: 'a', class: 'a' }], '[0]', 'has no condition'],
    [[{ ...rule, class: 'Quota Issues' }], '[0].class', 'lower-case letters'],
    [[{ ...rule, status: '5.1.1' }], '[0].status', 'is not a list'],
    [[{ ...rule, status: [] }], '[0].status', 'is not a list with something in it'],
    [[{ ...rule, status: ['5.1.1', '6.1.1'] }], '[0].status[1]', 'such as "5.1.1"'],
    [[{ ...rule, code: [250] }], '[0].code[0]', 'from 400 to 599'],
    [[{ ...rule, code: ['550'] }], '[0].code[0]', 'found "550"'],
    [[{ ...rule, phase: ['smtp'] }], '[0].phase[0]', 'is not one of route, dns'],
    [[{ ...rule, provider: ['Google.com'] }], '[0].provider[0]', 'in lower case'],
    [[rule, rule], '[1].name', 'another rule has the name "mine"'],
    [[{ ...rule, text: '(a+)+' }], '[0].text', 'a group can only have ? after it'],
    [Array.from({ length: 1001 }, (_, i) => ({ ...rule, name: `r${i}` })), '', 'at most 1000 rules'],
  ])('%j: %s is told with what is allowed', (rules, path, message) => {
    const read = readRules(rules)
    expect(read.ok ? [] : read.problems).toContainEqual(
      expect.objectContaining({ path, message: expect.stringContaining(message) as string }),
    )
  })
})

describe('a pattern', () => {
  test.each([
    'a',
    'a|b',
    '(?:a|b)?c',
    'a.{0,60}?b',
    '\\bquota\\b',
    '[^a-z\\]]+x',
    'user .* unknown',
    '\\(x\\)',
    '^4\\d\\d',
    ''.padEnd(500, 'x'),
  ])('%s is taken', source => {
    expect(safePattern(source)).toBeInstanceOf(RegExp)
  })
  test.each([
    ['', 'is empty'],
    [''.padEnd(501, 'x'), '500 are allowed'],
    ['(a+)+$', 'a group can only have ?'],
    ['(a|aa)*', 'a group can only have ?'],
    ['(?:a?){30}', 'a group can only have ?'],
    ['.*a.*b', 'too many ways'],
    ['a{0,200}b{0,200}', 'too many ways'],
    ['a?'.repeat(20), 'too many ways'],
    ['(?:a|a|a)(?:a|a|a)(?:a|a|a)'.repeat(3), 'too many ways'],
    ['(?=a)', 'only (?: is known'],
    ['(?<n>a)\\k<n>', 'only (?: is known'],
    ['(a)\\1', '\\1 is not known'],
    ['\\u0041', '\\u is not known'],
    ['(a', 'a ( that nothing closes'],
    ['a)', 'a ) that nothing opens'],
    ['[a', 'a [ that nothing closes'],
    ['*a', '* stands here for nothing'],
    ['a**', '* stands here for nothing'],
    ['('.repeat(11), 'nested more than 10 deep'],
    ['[z-a]', 'Invalid regular expression'],
  ])('%s is refused: %s', (source, why) => {
    expect(safePattern(source)).toMatchObject({ problem: expect.stringContaining(why) as string })
  })
  test('means what it means in a regular expression, or is refused, whatever it is made of', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '|',
      '(',
      '(?:',
      ')',
      '?',
      '*',
      '+',
      '{1,3}',
      '[ab]',
      '.',
      '\\b',
      '^',
      '$',
      '\\',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.stringMatching(/^[ab ]{0,12}$/), (pieces, text) => {
        const read = safePattern(pieces.join(''))
        fc.pre(read instanceof RegExp)
        expect(read.test(text)).toBe(new RegExp(pieces.join('')).test(text))
      }),
    )
  })
  test('that was not checked makes no classifier', () => {
    expect(() => createClassifier([{ ...rule, text: '(a+)+' }])).toThrow('a group can only have ?')
  })
})
