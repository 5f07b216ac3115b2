import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as catalogue from '@posthorn/reply'
import { encodeReply, isReply } from '@posthorn/reply'
import { parseTranscript } from '@posthorn/testkit'

/** Replies of agents and policies, and of what no client can bring about; their own tests have them. */
const ofOthers = new Set([
  'bounceNotOurs',
  'bounceTooLate',
  'delivered',
  'encryptionNeeded',
  'fromNotYours',
  'mailboxFullForGood',
  'noService',
  'nullMx',
  'nullSenderOnce',
  'oneFromRequired',
  'refusedByPolicy',
  'requireTlsUnsupported',
  'routingLoop',
  'senderNotYours',
  'senderNullMx',
  'syntaxError',
  'tlsNotAvailable',
])

const directory = new URL('transcripts/', import.meta.url)
const said = new Set(
  readdirSync(directory)
    .map(name => parseTranscript(readFileSync(new URL(name, directory), 'utf8')))
    .flatMap(({ steps }) => steps.flatMap(step => (step.do === 'expect' && step.match === 'line' ? [step.line] : []))),
)
const fixed = Object.entries(catalogue).flatMap(([name, reply]) =>
  isReply(reply) ? [{ name, lines: encodeReply(reply).trimEnd().split('\r\n') }] : [],
)

test.each(fixed.filter(({ name }) => !ofOthers.has(name)))('a transcript has the reply $name', ({ lines }) => {
  expect(lines.filter(line => !said.has(line))).toEqual([])
})

test('no reply is left out for nothing', () => {
  const missing = fixed.filter(({ lines }) => lines.some(line => !said.has(line))).map(({ name }) => name)
  expect([...ofOthers].toSorted()).toEqual(missing.toSorted())
})
