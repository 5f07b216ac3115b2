import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { findDifferences, type Findings } from '../differences/compare.ts'
import { documentOf, unexplained } from '../differences/document.ts'
import { explanations } from '../differences/why.ts'
import { makes } from '../peers/makes.ts'
import { suite } from '../peers/needs.ts'

const programs = makes.map(make => make.program)

suite('what we answer, and what other servers answer', programs, () => {
  let findings: Findings
  beforeAll(async () => {
    findings = await findDifferences()
  })

  test('the program answers as the transcripts say, and every difference has its reason', () => {
    expect(unexplained(findings, explanations)).toEqual([])
  })

  test('docs/differences.md is up to date; npm run differences writes it', () => {
    const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8')
    expect(documentOf(findings, explanations)).toBe(page)
  })
})
