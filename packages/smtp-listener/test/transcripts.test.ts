import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { insufficientStorage } from '@posthorn/reply'
import { byteByByte, parseTranscript, playTranscript, whole } from '@posthorn/testkit'
import type { Cut, Subject, Transcript } from '@posthorn/testkit'
import type { QueueRuns } from '@posthorn/smtp-listener'
import { world, type Client, type World, type WorldOptions } from './world.ts'

/*
 * Settings of a transcript (`#! key=value`): `service` is mx, submission or lmtp; `plugins` names plugins of world.ts;
 * `limit-<name>` sets a limit; `over=clear` or `over=tls` keeps one to that; `cut=whole`
 * says that it is about what comes in one piece; `xclient`, `xforward` and `directory`
 * trust a network; `etrn=on` has mail for branch.test; `accepted` is how many messages the intake must hold at the end, 0 when absent.
 * `intake=full` has no room for messages. Events: `X: 300 s later` moves the clock, `X: drain` begins to stop the service.
 * `portable` is for test/differences, which plays it at other servers: `yes`, or the EHLO keyword that they must offer for it.
 */

const directory = new URL('transcripts/', import.meta.url)

const queueRuns: QueueRuns = {
  allowed: ({ domain, withSubdomains }) =>
    withSubdomains
      ? ['branch.test', 'empty.test']
      : ['branch.test', 'empty.test', 'broken.test'].filter(d => d === domain),
  start: async names => {
    if (names.includes('broken.test')) throw new Error('the disk is gone')
    return names.includes('branch.test') ? 3 : 0
  },
}

const options = ({ settings }: Transcript): WorldOptions => ({
  service: (settings.get('service') ?? 'mx') as NonNullable<WorldOptions['service']>,
  plugins: settings.get('plugins')?.split(',') ?? [],
  limits: Object.fromEntries(
    [...settings].filter(([key]) => key.startsWith('limit-')).map(([key, value]) => [key.slice(6), Number(value)]),
  ),
  overrides: {
    ...(settings.get('requires') === 'tls' ? { requireTls: true } : {}),
    ...(settings.get('auth') === 'clear' ? { authRequiresTls: false } : {}),
    ...(settings.get('utf8') === 'off' ? { smtputf8: false } : {}),
    ...(settings.get('chunking') === 'off' ? { chunking: false } : {}),
    ...(settings.get('priorities') === 'on' ? { priorities: true } : {}),
    ...(settings.has('deliverby') ? { deliverBy: { minimumMs: Number(settings.get('deliverby')) * 1000 } } : {}),
    ...(settings.has('directory')
      ? { directory: { vrfy: true, expn: true, trusted: [settings.get('directory') ?? ''], domain: 'example.org' } }
      : {}),
    ...(settings.get('etrn') === 'on' ? { queueRuns } : {}),
    ...(settings.has('xclient') ? { xclient: [settings.get('xclient') ?? ''] } : {}),
    ...(settings.has('xforward') ? { xforward: [settings.get('xforward') ?? ''] } : {}),
    ...(settings.get('tls') === 'off' ? { tls: undefined as never } : {}),
  },
})

/** What the intake holds when it is over: messages, and receptions that nobody ended. */
interface Held {
  readonly accepted: number
  readonly leftOpen: number
}

/** What happens besides what is said. */
const happening = ({ clock, listener }: World, client: Client): Subject => ({
  send: bytes => client.send(bytes),
  line: () => client.line(),
  unread: () => client.unread(),
  closed: () => client.closed(),
  event: async name => {
    const seconds = /^(\d+) s later$/.exec(name)?.[1]
    if (seconds !== undefined) await clock.advance(Number(seconds) * 1000)
    else if (name === 'drain') void listener.drain(60_000)
    else await client.event(name)
  },
})

const play = async (transcript: Transcript, cut: Cut, tls: boolean): Promise<Held> => {
  const settings = options(transcript)
  const its = await world({
    ...settings,
    overrides: { ...settings.overrides, ...(tls ? { implicitTls: true } : {}) },
  })
  const { intake, listener } = its
  if (transcript.settings.get('intake') === 'full') intake.refusal = insufficientStorage
  const client = its.dial()
  if (tls) await client.secure()
  await playTranscript(happening(its, client), transcript, cut)
  client.reset()
  await listener.close()
  const count = (fate: string): number => intake.taken.filter(taken => taken.fate === fate).length
  return { accepted: count('committed'), leftOpen: count('open') }
}

describe.each(readdirSync(directory).filter(name => name.endsWith('.smtp')))('%s', name => {
  const transcript = parseTranscript(readFileSync(new URL(name, directory), 'utf8'))
  const expected: Held = { accepted: Number(transcript.settings.get('accepted') ?? 0), leftOpen: 0 }
  const over = transcript.settings.get('over')
  const pieces = transcript.settings.get('cut') !== 'whole'
  if (over !== 'tls') test('whole', async () => expect(await play(transcript, whole, false)).toEqual(expected))
  if (over !== 'tls' && pieces)
    test('byte by byte', async () => expect(await play(transcript, byteByByte, false)).toEqual(expected))
  if (over !== 'clear') test('over TLS', async () => expect(await play(transcript, whole, true)).toEqual(expected))
  if (over === 'tls' && pieces)
    test('over TLS, byte by byte', async () => expect(await play(transcript, byteByByte, true)).toEqual(expected))
})
