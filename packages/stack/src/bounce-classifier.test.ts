import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { bounceClassifier } from './bounce-classifier.ts'
import { checkConfig, ConfigError } from './config.ts'

const dir = mkdtempSync(join(tmpdir(), 'posthorn-rules-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const classifierOf = (rules: unknown): ReturnType<typeof bounceClassifier> =>
  bounceClassifier(checkConfig({ hostname: 'mx.example.org', bounces: { rules } }))
const file = (text: string): string => {
  const path = join(dir, 'rules.json')
  writeFileSync(path, text)
  return path
}
const problemsOf = (rules: unknown): readonly string[] => {
  try {
    classifierOf(rules)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(p => `${p.path}: ${p.message}`)
    throw error
  }
  return []
}
const unknownUser = { reply: { code: 550, enhanced: '5.1.1', lines: ['user unknown'] } }
const mine = { name: 'mine', class: 'carrier-pigeon', text: 'unknown' }

describe('rules of the configuration', () => {
  test('come before ours, from a file or from the configuration itself', () => {
    for (const rules of [[mine], file(JSON.stringify([mine]))])
      expect(classifierOf(rules)(unknownUser)).toEqual({ class: 'carrier-pigeon', rule: 'mine' })
    expect(classifierOf([])(unknownUser)).toMatchObject({ class: 'bad-mailbox' })
    expect(classifierOf([{ ...mine, text: 'quota' }])(unknownUser)).toMatchObject({ class: 'bad-mailbox' })
  })

  test('that are wrong are named by file, line and path, all of them', () => {
    const path = file(`[
  { "name": "a", "class": "[,{x", "text": "x" },
  {
    "name": "b", "class": "b",
    "status": ["5.1.1", "9.1.1"]
  }, 3,

  { "name": "c", "class": "c", "text": "(a+)+" }
]`)
    expect(problemsOf(path)).toEqual([
      expect.stringContaining(`bounces.rules: ${path}:2: [0].class is not a name`),
      expect.stringContaining(`${path}:3: [1].status[1] is not an enhanced code`),
      expect.stringContaining(`${path}:6: [2] is not a rule`),
      expect.stringContaining(`${path}:8: [3].text a group can only have ? after it (character 5)`),
    ])
    expect(problemsOf([mine, { ...mine, name: 'B' }])).toEqual([
      expect.stringContaining('bounces.rules[1].name: is not a name'),
    ])
  })

  test('that are no list, no JSON or no file are refused', () => {
    expect(problemsOf(file('{}'))[0]).toMatch(/rules\.json: it is not a list/)
    expect(problemsOf(file('[\n{]'))[0]).toMatch(/rules\.json is not JSON: .*line 2/)
    expect(problemsOf(join(dir, 'nowhere.json'))[0]).toMatch(/nowhere\.json can't be read: ENOENT/)
  })
})
