import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseTranscript } from '@posthorn/testkit'
import { explanations } from '../../differences/why.ts'

const transcripts = new URL('../../../packages/smtp-listener/test/transcripts/', import.meta.url)

test.each(Object.keys(explanations.reasons))(
  'the reasons for %s are about a transcript that is played at other servers',
  name => {
    const text = readFileSync(new URL(`${name}.smtp`, transcripts), 'utf8')
    expect(parseTranscript(text).settings.has('portable')).toBe(true)
  },
)
