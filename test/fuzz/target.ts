import assert from 'node:assert/strict'
import {
  asciiMailbox,
  formatMailbox,
  formatPath,
  parseDomain,
  parseMailbox,
  parsePath,
  type Domain,
} from '@posthorn/address'
import { classify, failureOf, readBounce, readComplaint } from '@posthorn/dsn'
import { convertBody, headerEnd, parseHeaders, renderHeaders, withFields, type Body } from '@posthorn/message'
import { DotStuffer, parseCommand, parseEhlo, ReplyReader } from '@posthorn/smtp'
import { decodeMessage } from '../../packages/dns/src/message.ts'
import { readReply } from '../../packages/dns/src/reading.ts'
import { readValue, type RecordType } from '../../packages/dns/src/record.ts'
import { pieces, type Chance } from './chance.ts'
import { clientTarget } from './client.ts'
import { dovecotTarget, scramTarget } from './sasl.ts'
import { sessionTarget } from './session.ts'

/** Something that takes octets from anybody. */
export interface Target {
  readonly name: string
  /** Words of its language. */
  readonly tokens: readonly string[]
  /** Where to begin, besides the corpus. */
  readonly seeds: readonly string[]
  /** Throws when something is not as it must be. What it answers tells which way the input went: a new answer is worth keeping. */
  run(input: Uint8Array, chance: Chance): string | Promise<string>
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const addresses: Target = {
  name: 'address',
  tokens: ['@', '<', '>', '"', '\\', '[', ']', 'IPv6:', 'xn--', '.', ':', ',', 'é', '%', '!', '\u00a0', '127.0.0.1'],
  seeds: ['bob@example.org', '<@a,@b:"x y"@[IPv6:2001:db8::1]>', 'käthe@bücher.example', '<>', '"\\""@[192.0.2.1]'],
  run(input) {
    const text = Buffer.from(input).toString('utf8')
    const mailbox = parseMailbox(text, { smtputf8: true })
    if (mailbox !== undefined) {
      const printed = formatMailbox(mailbox)
      const again = parseMailbox(printed, { smtputf8: true })
      assert(again !== undefined, `${printed} was printed and is not read`)
      assert.equal(formatMailbox(again), printed)
      assert(!/[\r\n\0]/.test(printed), 'a control character came through')
      asciiMailbox(mailbox)
    }
    const path = parsePath(text, { smtputf8: true })
    if (path.ok) assert(path.length <= text.length && !/[\r\n\0]/.test(formatPath(path.path)))
    const domain = parseDomain(text)
    if (domain !== undefined) assert.equal(parseDomain(domain), domain)
    return [mailbox?.local.length, path.ok ? 'ok' : path.why, domain?.split('.').length].join(' ')
  },
}

const commands: Target = {
  name: 'command',
  tokens: [
    'MAIL FROM:',
    'RCPT TO:',
    '<a@b>',
    ' SIZE=',
    ' BODY=8BITMIME',
    ' SMTPUTF8',
    ' ORCPT=rfc822;',
    ' NOTIFY=',
    '+2B',
    'BDAT 1 LAST',
    'XCLIENT ADDR=',
    'XFORWARD IDENT=',
    'IPV6:',
    '[UNAVAILABLE]',
    '+0A',
  ],
  seeds: [
    'EHLO a.example',
    'MAIL FROM:<a@b.example> SIZE=1 RET=HDRS ENVID=a+2Bb',
    'RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x',
    'AUTH PLAIN AA==',
    'BDAT 10',
    'XCLIENT NAME=a.example ADDR=IPV6:2001:db8::1 PORT=1 PROTO=ESMTP HELO=a LOGIN=ann DESTADDR=192.0.2.1 DESTPORT=25',
    'XFORWARD NAME=a ADDR=[UNAVAILABLE] IDENT=q+2B1 SOURCE=LOCAL',
    'VRFY a SMTPUTF8',
    'ETRN @a.example',
  ],
  run(input) {
    const offered = new Set(['SIZE', '8BITMIME', 'SMTPUTF8', 'DSN', 'AUTH', 'CHUNKING', 'BINARYMIME', 'REQUIRETLS'])
    const line = latin1(input).replaceAll(/\r\n/g, '')
    const parsed = parseCommand(line, { utf8: true, offered, domain: 'x.example' as Domain })
    if (!parsed.ok) assert(parsed.reply.code >= 500 && parsed.reply.code < 600)
    return parsed.ok
      ? JSON.stringify([parsed.command.verb, Object.keys(parsed.command)])
      : `${parsed.verb} ${parsed.reply.enhanced}`
  },
}

/** What a reader makes of a stream; the same however it is cut. */
const replyShapes = (cut: readonly Uint8Array[]): readonly string[] => {
  const reader = new ReplyReader()
  const shapes: string[] = []
  for (const piece of cut) {
    reader.push(piece)
    for (let reply = reader.next(); reply !== undefined; reply = reader.next()) {
      if ('fault' in reply) return [...shapes, 'fault']
      assert(reply.code >= 200 && reply.code <= 599 && reply.lines.length <= 128)
      shapes.push(`${reply.code} ${reply.enhanced ?? ''} ${reply.lines.length}`)
      parseEhlo(reply)
    }
  }
  return shapes
}
const replies: Target = {
  name: 'reply',
  tokens: ['250-', '250 ', '\r\n', '\n', '5.7.1', '220 mx\r\n', '250-SIZE 100\r\n', '999'],
  seeds: [
    '220 mx\r\n250-mx\r\n250-SIZE 10\r\n250 LIMITS RCPTMAX=2\r\n',
    '550 5.7.1 no\r\n',
    '354\r\n421-a\r\n421 b\r\n',
  ],
  run(input, chance) {
    const cut = replyShapes(pieces(input, chance))
    assert.deepEqual(cut, replyShapes(pieces(input, chance)))
    return cut.slice(0, 8).join()
  },
}

const datagrams: Target = {
  name: 'dns',
  tokens: [
    '\xc0\x0c',
    '\xc0\x00',
    '\0\x0f\0\x01',
    '\x07example\x03org\0',
    '\0\0\x29',
    '\xff\xff',
    '\0\x34\0\x01',
    '\0\x05\0\x01',
  ],
  seeds: [
    '\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x07example\x03org\0\0\x0f\0\x01\xc0\x0c\0\x0f\0\x01\0\0\x0e\x10\0\x07\0\x0a\x02mx\xc0\x0c',
    '\x12\x34\x85\x83\0\x01\0\0\0\x01\0\x01\x01x\0\0\x01\0\x01\0\0\x06\0\x01\0\0\0\x3c\0\x16\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05\0\0\x29\x04\xd0\0\0\0\0\0\0',
  ],
  run(input) {
    const message = decodeMessage(input)
    if (message === undefined) return 'no'
    for (const { name } of [...message.answers, ...message.authorities, ...message.additionals])
      assert(name.length <= 1024, 'a name is too long')
    const types = Object.keys(readValue) as RecordType[]
    const values = message.answers.map(record => types.filter(type => readValue[type](record) !== undefined).length)
    const asked = message.question?.name ?? 'example.org'
    const readings = types.map(type => readReply(message, asked.toLowerCase(), type, false, 0))
    const kinds = readings.map(reading => (reading === 'broken' ? 'b' : 'follow' in reading ? 'f' : reading.answer.ok))
    return [
      message.rcode,
      message.whole,
      message.question?.type,
      message.answers.length,
      message.authorities.length,
      values,
      kinds,
    ].join(' ')
  },
}

const headerBlocks: Target = {
  name: 'headers',
  tokens: ['\r\n', ': ', 'From', '\r\n ', '\t', '\r', '\n', 'Received: x\r\n', '\xff'],
  seeds: ['From: a@b\r\nSubject: x\r\n y\r\n\r\n', 'no colon\r\n: empty\r\n x\r\n\r\nbody', '\r\n'],
  run(input) {
    const end = headerEnd(input)
    const block = end === -1 ? input : input.subarray(0, end)
    const headers = parseHeaders(block)
    const rendered = renderHeaders(headers)
    assert(latin1(rendered).startsWith(latin1(block)) && rendered.length <= block.length + 4, 'octets were changed')
    const names = headers.names()
    for (const name of names.slice(0, 5)) {
      assert(
        headers.all(name).every(value => !/[\r\n]/.test(value)),
        'a value has a line break',
      )
      assert.equal(parseHeaders(renderHeaders(withFields(headers, { remove: [name] }))).count(name), 0)
    }
    return `${Math.min(names.length, 20)} ${headers.count('')} ${end === -1}`
  },
}

const report = [
  'Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n',
  'Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\n',
  'Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n--b--\r\n',
].join('')
const mimeTokens = [
  '--b',
  '--b--',
  '\r\n',
  'Content-Type: ',
  'multipart/mixed; boundary=b',
  'message/rfc822',
  'Content-Transfer-Encoding: ',
  'base64',
  'quoted-printable',
  'binary',
  '=3D',
  '\xff',
  '\0',
]
const reports: Target = {
  name: 'report',
  tokens: [
    ...mimeTokens,
    'Final-Recipient: rfc822;',
    'Status: ',
    'Action: delayed',
    '<a@b.example>:\n',
    'did not reach the following recipient(s):',
    'feedback-report',
  ],
  seeds: [
    report,
    'A: b\r\n\r\nHi. This is x.\r\n\r\n<a@b.example>:\r\n550 5.1.1 no\r\n\r\n---\r\n\r\nSubject: x\r\n\r\n',
    'A: b\r\n\r\ncreated automatically by mail delivery software\r\n\r\n  a@b.example\r\n    550 no\r\n',
  ],
  run(input) {
    const complaint = readComplaint(input)
    const read = readBounce(input)
    if (read === undefined) return complaint === undefined ? 'none' : 'complaint'
    assert(read.recipients.length <= 1000)
    return `${read.form} ${read.recipients.map(r => `${r.action} ${classify(failureOf(r)).class}`).join()}`
  },
}

const bodyInPieces = (cut: readonly Uint8Array[], size: number): Body => ({
  size,
  open: async function* () {
    yield* cut
  },
})
const conversions: Target = {
  name: 'conversion',
  tokens: mimeTokens,
  seeds: [
    report,
    'Subject: x\r\n\r\n\xff\r\n',
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n\xe9\r\n--b\r\nContent-Type: x/y\r\n\r\n\0\r\n--b--\r\n',
  ],
  async run(input, chance) {
    const goal = { to: '7bit', binary: chance.below(2) === 0, evenSigned: true } as const
    const results = [pieces(input, chance), pieces(input, chance)].map(cut =>
      convertBody(bodyInPieces(cut, input.length), goal),
    )
    const texts: string[] = []
    for (const made of await Promise.all(results)) {
      if (!made.ok) {
        texts.push(made.cause)
        continue
      }
      const chunks: Uint8Array[] = []
      for await (const chunk of made.body.open()) chunks.push(chunk)
      const text = latin1(Buffer.concat(chunks))
      assert.equal(text.length, made.body.size)
      assert(!/[\x80-\xff]/.test(text), 'it is still 8bit')
      texts.push(text)
    }
    assert.equal(texts[0], texts[1], 'it matters how the message is cut')
    const [made] = await Promise.all(results)
    if (made === undefined) return ''
    return made.ok ? `${Math.min(made.parts, 8)} ${goal.binary}` : made.cause
  },
}

/** What a server makes of DATA. */
const unstuffed = (sent: string): string => sent.slice(0, -3).replaceAll(/(^|\r\n)\./g, '$1')
const stuffing: Target = {
  name: 'dots',
  tokens: ['\r\n', '.', '\r\n.', '\r\n.\r\n', '\n.\n', '\r'],
  seeds: ['.\r\n..\r\nx\r\n', 'x'],
  run(input, chance) {
    const stuffer = new DotStuffer()
    const sent = latin1(Buffer.concat([...pieces(input, chance).flatMap(piece => stuffer.push(piece)), stuffer.end()]))
    if (stuffer.bare) return 'bare'
    const text = latin1(input)
    assert.equal(unstuffed(sent), text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`)
    assert.equal(`\r\n${sent}`.indexOf('\r\n.\r\n'), sent.length - 3, 'it ends before its end')
    return String(sent.length - text.length)
  },
}

/** All of them. */
export const targets: readonly Target[] = [
  sessionTarget,
  clientTarget,
  replies,
  commands,
  addresses,
  datagrams,
  headerBlocks,
  reports,
  conversions,
  stuffing,
  scramTarget,
  dovecotTarget,
]

/** An input as it is written in source. */
export const seedsOf = (target: Target): readonly Uint8Array[] => target.seeds.map(bytesOf)
