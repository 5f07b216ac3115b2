import { parseMailbox, type Mailbox } from '@posthorn/address'
import { bodyOf, type Body } from '@posthorn/message'
import {
  manualClock,
  scriptedNetwork,
  transcriptPeer,
  type ManualClock,
  type PeerScript,
  type ScriptedNetwork,
} from '@posthorn/testkit'
import { createClient, type ClientLimits, type Mail, type SmtpClient, type Target } from '../src/index.ts'

export const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text, { smtputf8: true })
  if (parsed === undefined) throw new Error(`not a mailbox: ${text}`)
  return parsed
}
export const body = (text: string): Body => bodyOf(new TextEncoder().encode(text))

/** A body that is only ever read in chunks. */
export const streamed = (chunks: readonly string[], size?: number): Body => {
  const bytes = chunks.map(chunk => new TextEncoder().encode(chunk))
  return {
    size: size ?? bytes.reduce((sum, b) => sum + b.length, 0),
    async *open() {
      yield* bytes
    },
  }
}

export const mail = (o: Partial<Omit<Mail, 'recipients'>> & { readonly to?: readonly string[] } = {}): Mail => {
  const { to = ['bob@example.org'], ...rest } = o
  return {
    returnPath: mailbox('alice@example.com'),
    recipients: to.map(text => ({ to: mailbox(text) })),
    body: body('Subject: hi\r\n\r\nhello\r\n'),
    smtputf8: false,
    eightBit: '7bit',
    requireTls: false,
    ...rest,
  }
}
export const target = (o: Partial<Target> = {}): Target => ({
  protocol: 'smtp',
  host: 'mx.example.org',
  ip: '192.0.2.1',
  port: 25,
  tls: { level: 'never', names: ['mx.example.org'], because: 'test' },
  ...o,
})
export const tls = (level: Target['tls']['level']): Pick<Target, 'tls'> => ({
  tls: { level, names: ['mx.example.org'], because: 'test' },
})

export interface Bench {
  readonly client: SmtpClient
  readonly network: ScriptedNetwork
  readonly clock: ManualClock
}
/** A client whose connections meet these peers in turn: scripts, transcripts, errors, or `never` for one that hangs. */
export const bench = (scripts: readonly (PeerScript | Error | string)[], limits: Partial<ClientLimits> = {}): Bench => {
  const clock = manualClock()
  const network = scriptedNetwork(
    ...(scripts.map(s => (typeof s === 'string' && s !== 'never' ? transcriptPeer(s) : s)) as PeerScript[]),
  )
  return { clock, network, client: createClient({ network, clock, hostname: 'client.example', limits }) }
}
export const never: AbortSignal = new AbortController().signal

/** A transcript's beginning up to the moment when MAIL may come. */
export const greeting = (...keywords: readonly string[]): string =>
  [
    'S: 220 mx.example.org ESMTP',
    'C: EHLO client.example',
    ...['mx.example.org', ...keywords].map((line, i, all) => `S: 250${i === all.length - 1 ? ' ' : '-'}${line}`),
    '',
  ].join('\n')

/** The content of `mail()` with its dot, as C lines. */
export const content = ['C: Subject: hi', 'C: ', 'C: hello', 'C: .', ''].join('\n')
