import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { byteByByte, parseTranscript, playTranscript, whole, type Cut, type Transcript } from '@posthorn/testkit'
import { world, type WorldOptions } from './world.ts'

/*
 * Settings of a transcript (`#! key=value`): `service` is mx, submission or lmtp; `plugins` names plugins of world.ts;
 * `limit-<name>` sets a limit; `over=clear` keeps one out of the run over TLS, where it would mean something else; `cut=whole`
 * says that it is about what comes in one piece; `accepted` is how many messages the intake must hold at the end.
 */

const directory = new URL('transcripts/', import.meta.url)

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
  },
})

const play = async (transcript: Transcript, cut: Cut, tls: boolean): Promise<void> => {
  const settings = options(transcript)
  const { dial, intake, listener } = await world({
    ...settings,
    overrides: { ...settings.overrides, ...(tls ? { implicitTls: true } : {}) },
  })
  const client = dial()
  if (tls) await client.secure()
  await playTranscript(client, transcript, cut)
  client.reset()
  await listener.close()
  const accepted = transcript.settings.get('accepted')
  const committed = intake.taken.filter(taken => taken.fate === 'committed')
  if (accepted !== undefined) expect(committed.length).toBe(Number(accepted))
  expect(intake.taken.filter(taken => taken.fate === 'open')).toEqual([])
}

describe.each(readdirSync(directory).filter(name => name.endsWith('.smtp')))('%s', name => {
  const transcript = parseTranscript(readFileSync(new URL(name, directory), 'utf8'))
  test('whole', () => play(transcript, whole, false))
  if (transcript.settings.get('cut') !== 'whole') test('byte by byte', () => play(transcript, byteByByte, false))
  if (transcript.settings.get('over') !== 'clear') test('over TLS', () => play(transcript, whole, true))
})
