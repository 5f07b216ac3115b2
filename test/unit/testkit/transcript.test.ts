import { expect, test } from 'vitest'
import { byteByByte, parseTranscript, playTranscript, type Subject } from '@posthorn/testkit'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** Answers each write with the next of the given replies. */
const scripted = (answers: readonly string[][]): Subject & { readonly sent: string[]; readonly events: string[] } => {
  const sent: string[] = []
  const events: string[] = []
  const lines = [...(answers[0] ?? [])]
  let turn = 1
  return {
    sent,
    events,
    send(bytes) {
      sent.push(text(bytes))
      lines.push(...(answers[turn++] ?? []))
    },
    line: async () => lines.shift(),
    unread: () => lines[0],
    closed: async () => turn >= answers.length,
    event: async name => void events.push(name),
  }
}

test('consecutive lines of the client leave as one write', async () => {
  const subject = scripted([['220 x'], ['250 a', '250 b']])
  await playTranscript(subject, parseTranscript('S: 220 x\nC: ONE\nC: TWO\nS: 250 a\nS: 250 b\nX: closed\n'))
  expect(subject.sent).toEqual(['ONE\r\nTWO\r\n'])
})

test('a cut of one octet sends each byte by itself', async () => {
  const subject = scripted([])
  await playTranscript(subject, parseTranscript('C= a\\r\\n\\u00ff\n'), byteByByte)
  expect(subject.sent).toEqual(['a', '\r', '\n', '\xff'])
})

test('lines of the client are UTF-8', async () => {
  const subject = scripted([])
  await playTranscript(subject, parseTranscript('C: é'))
  expect(subject.sent).toEqual(['\xc3\xa9\r\n'])
})

test('S* takes the rest of a reply, or a whole one', async () => {
  const answers = [
    ['220-x', '220-y', '220 z'],
    ['250-a', '250 b', '250 c'],
  ]
  await playTranscript(scripted(answers), parseTranscript('S: 220-x\nS* 220\nC: A\nS* 250\nS: 250 c\n'))
  await expect(playTranscript(scripted(answers), parseTranscript('S* 220\nC: A\nS* 251\n'))).rejects.toThrow(
    'line 3: expected "251", got "250-a"',
  )
})

test('a reply that nobody expected fails, and so does one that is missing', async () => {
  await expect(playTranscript(scripted([['220 x', '250 y']]), parseTranscript('S~ 220 *\n'))).rejects.toThrow(
    'unexpected after the end: "250 y"',
  )
  await expect(playTranscript(scripted([]), parseTranscript('# nothing\nS: 220 x\n'))).rejects.toThrow(
    'line 2: expected "220 x", got undefined',
  )
})

test('a connection that should be closed and is not fails', async () => {
  await expect(playTranscript(scripted([[], [], []]), parseTranscript('X: closed\n'))).rejects.toThrow('still open')
})

test('events and settings are handed on', async () => {
  const subject = scripted([])
  const transcript = parseTranscript('#! service=lmtp\nX: tls\n')
  await playTranscript(subject, transcript)
  expect(subject.events).toEqual(['tls'])
  expect(transcript.settings.get('service')).toBe('lmtp')
})

test('a tag that does not exist is refused with its line', () => {
  expect(() => parseTranscript('C: a\nQ: b\n')).toThrow('line 2: unknown tag "Q:"')
  expect(() => parseTranscript('C= \\q\n')).toThrow('line 1: not a JSON string')
  expect(() => parseTranscript('C= \\u0100\n')).toThrow('octets')
})
