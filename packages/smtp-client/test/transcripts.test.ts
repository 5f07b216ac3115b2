import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '@posthorn/contracts'
import {
  manualClock,
  parseTranscript,
  transcriptPeer,
  type PeerScript,
  type ScriptedPeer,
  type Transcript,
} from '@posthorn/testkit'
import type { Mail, Target } from '../src/index.ts'
import { bench, body, mail, mailbox, never, target, tls } from './exchange.ts'

/*
 * Settings of a transcript (`#! key=value`): `outcomes` is what each recipient gets, as fate/phase/code or status; `from` and `to` are
 * the envelope; `content` is the message as a JSON string of octets; `eightbit`, `utf8`, `dsn`, `protocol`, `tls` and `login` say what
 * the client is to do; `by=<seconds>;<mode>` is when it is to be delivered by; with `chunks=on` a message need not be long to go by BDAT.
 */

const body8 = (octets: string): Mail['body'] => {
  const bytes = Uint8Array.from(JSON.parse(`"${octets}"`) as string, c => c.charCodeAt(0))
  return {
    ...body(''),
    size: bytes.length,
    bytes,
    open: async function* () {
      yield bytes
    },
  }
}
/** `120;RT`: so many seconds after the client's clock begins. */
const byOf = (text: string | undefined): Pick<Mail, 'deliverBy'> => {
  const [, seconds, mode, trace] = /^(-?\d+);([RN])(T?)$/.exec(text ?? '') ?? []
  if (seconds === undefined) return {}
  const at = manualClock().wall() + Number(seconds) * 1000
  return { deliverBy: { at, mode: mode === 'R' ? 'return' : 'notify', trace: trace === 'T' } }
}
const mailOf = ({ settings }: Transcript): Mail => {
  const from = settings.get('from')
  const dsn = settings.get('dsn') === 'on'
  const to = settings.get('to')?.split(',') ?? ['bob@example.org']
  const content = settings.get('content')
  return {
    ...mail(dsn ? { ret: 'hdrs', envid: 'QQ=1' } : {}),
    ...(from === '' ? { returnPath: null } : {}),
    ...byOf(settings.get('by')),
    recipients: to.map(address => ({
      to: mailbox(address),
      ...(dsn ? { notify: ['success', 'delay'] as const, orcpt: 'rfc822;b+b@example.org' } : {}),
    })),
    ...(content === undefined ? {} : { body: body8(content) }),
    smtputf8: settings.get('utf8') === 'on',
    eightBit: (settings.get('eightbit') ?? '7bit') as Mail['eightBit'],
  }
}
const targetOf = ({ settings }: Transcript): Target => {
  const [user, password] = settings.get('login')?.split(':') ?? []
  return target({
    protocol: (settings.get('protocol') ?? 'smtp') as Target['protocol'],
    ...tls((settings.get('tls') ?? 'never') as Target['tls']['level']),
    ...(user === undefined || password === undefined ? {} : { credentials: { user, password }, authInClear: true }),
  })
}

/** The same peer, whose every octet comes by itself. */
const byteByByte =
  (script: PeerScript): PeerScript =>
  peer =>
    script(
      new Proxy(peer, {
        get(real, name: keyof ScriptedPeer) {
          if (name === 'say') return (text: string) => Array.from(text).forEach(octet => real.say(octet))
          const value: unknown = Reflect.get(real, name, real)
          return typeof value === 'function' ? (value.bind(real) as unknown) : value
        },
      }),
    )

const shown = ({ fate, phase, reply, status }: Outcome): string => `${fate}/${phase}/${reply?.code ?? status}`

/** Send the message to the script; what became of it. */
const send = async (script: PeerScript, message: Mail, to: Target, chunks = false): Promise<readonly string[]> => {
  const b = bench([script], chunks ? { chunkFrom: 0 } : {})
  const outcomes = await b.client.send(message, to, never)
  await b.client.close()
  // What the peer has not heard by now it never will.
  for (let turn = 0; turn < 20; turn++) await b.clock.advance(0)
  expect([b.network.faults, b.clock.pending]).toEqual([[], 0])
  return outcomes.map(shown)
}

const files = (directory: URL): readonly (readonly [string, string])[] =>
  readdirSync(directory)
    .filter(name => name.endsWith('.smtp'))
    .map(name => [name, readFileSync(new URL(name, directory), 'utf8')])

describe.each(files(new URL('transcripts/', import.meta.url)))('%s', (_name, text) => {
  const transcript = parseTranscript(text)
  const expected = transcript.settings.get('outcomes')?.split(' ')
  const [message, to] = [mailOf(transcript), targetOf(transcript)]
  const chunks = transcript.settings.get('chunks') === 'on'
  test('whole', async () => expect(await send(transcriptPeer(text), message, to, chunks)).toEqual(expected))
  test('byte by byte', async () =>
    expect(await send(byteByByte(transcriptPeer(text)), message, to, chunks)).toEqual(expected))
})

/** What a client says in a transcript of the listener, when it is one message without parameters, said step by step. */
interface Plain {
  readonly lhlo: boolean
  readonly hostname: string
  readonly message: Mail
  readonly outcomes: readonly string[]
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** Each write of the client and the first line of each answer. */
const dialogue = ({ steps }: Transcript): readonly { readonly said: string; readonly code: number }[] => {
  const turns: { said: string; code: number }[] = []
  let open = false
  for (const step of steps) {
    if (step.do === 'event') continue
    if (step.do === 'send') {
      const said = latin1(step.bytes)
      if (open) turns.at(-1)!.said += said
      else turns.push({ said, code: 0 })
    } else if (open || turns.length === 0) turns[Math.max(turns.length - 1, 0)] ??= { said: '', code: 0 }
    open = step.do === 'send'
    if (step.do === 'expect' && turns.at(-1)?.code === 0) turns.at(-1)!.code = Number(step.line.slice(0, 3))
  }
  return turns
}

const plainOf = (transcript: Transcript): Plain | undefined => {
  const turns = dialogue(transcript).slice(1)
  const kinds = turns.map(({ said }) => /^(?:(EHLO|LHLO|MAIL FROM|RCPT TO|DATA|QUIT)\b)/.exec(said)?.[1] ?? 'content')
  const shape = kinds.join(' ')
  if (!/^(?:EHLO|LHLO) MAIL FROM(?: RCPT TO)+(?: DATA content)? QUIT$/.test(shape)) return undefined
  const path = (said: string): string | undefined => /^\w+ \w+:<([^>:\r\n]*)>\r\n$/.exec(said)?.[1]
  const of = (kind: string) => turns.filter((_, i) => kinds[i] === kind)
  const hello = turns[0]?.said ?? ''
  const sender = of('MAIL FROM')[0]
  const from = path(sender?.said ?? '')
  const rcpts = of('RCPT TO').map(({ said, code }) => ({ path: path(said), code }))
  const content = of('content')[0]
  if (from === undefined || rcpts.some(r => r.path === undefined) || sender?.code !== 250) return undefined
  if (content !== undefined && (of('DATA')[0]?.code !== 354 || !content.said.endsWith('.\r\n'))) return undefined
  // Nothing that a client of ours would say: a bare CR or LF, a dot that was not doubled.
  if (/\r(?!\n)|(?<!\r)\n|^\.(?!\.|\r\n$(?![^]))/m.test(content?.said ?? '')) return undefined
  if ((content === undefined) !== rcpts.every(({ code }) => code >= 400)) return undefined
  const lhlo = hello.startsWith('LHLO')
  const fate = (code: number): string =>
    code < 300 ? (lhlo ? 'delivered' : 'relayed') : code < 500 ? 'deferred' : 'failed'
  const end = content?.code ?? 0
  const unstuffed = (content?.said ?? '').slice(0, -3).replaceAll(/^\./gm, '')
  return {
    lhlo,
    hostname: hello.slice(5).trim(),
    message: {
      ...mail({ to: rcpts.map(r => r.path!) }),
      returnPath: from === '' ? null : mailbox(from),
      body: body8(JSON.stringify(unstuffed).slice(1, -1)),
    },
    outcomes: rcpts.map(({ code }) => (code < 300 ? `${fate(end)}/dot/${end}` : `${fate(code)}/rcpt/${code}`)),
  }
}

describe("the listener's transcripts with the roles swapped", () => {
  const theirs = files(new URL('../../smtp-listener/test/transcripts/', import.meta.url))
  const fit = theirs.flatMap(([name, text]) => {
    const plain = plainOf(parseTranscript(text))
    // LMTP answers of different kinds after the dot are in the transcripts of our own.
    return plain === undefined || (plain.lhlo && plain.message.recipients.length > 1) ? [] : [{ name, text, plain }]
  })
  test('are enough to be worth it', () => {
    expect(fit.length).toBeGreaterThan(8)
  })
  test.each(fit)('$name', async ({ text, plain }) => {
    const said = text.replaceAll(plain.hostname, 'client.example').replace(/X: closed\s*$/, '')
    const message = { ...plain.message, returnPath: plain.message.returnPath }
    const peer = transcriptPeer(said.replaceAll(/(?<=<[^<>]*@)client\.example/g, plain.hostname))
    expect(await send(peer, message, target({ protocol: plain.lhlo ? 'lmtp' : 'smtp' }))).toEqual(plain.outcomes)
  })
})
