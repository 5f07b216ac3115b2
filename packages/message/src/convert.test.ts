import { array, assert, asyncProperty, boolean, constantFrom, integer, oneof, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bodyOf, convertBody, type Body, type ConversionOptions } from './index.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const text = (...lines: readonly string[]): string => lines.map(line => `${line}\r\n`).join('')

/** Read in pieces of this many octets, never at once. */
const inPieces = (whole: string, length: number): Body => ({
  size: whole.length,
  async *open() {
    for (let at = 0; at < whole.length; at += length) yield bytes(whole.slice(at, at + length))
  },
})
const read = async (body: Body): Promise<string> => {
  let all = ''
  for await (const chunk of body.open()) all += Buffer.from(chunk).toString('latin1')
  expect(all.length).toBe(body.size)
  return all
}
const toSeven: ConversionOptions = { to: '7bit', binary: false }
const converted = async (message: string, o: ConversionOptions = toSeven): Promise<string> => {
  const made = await convertBody(bodyOf(bytes(message)), o)
  if (!made.ok) throw new Error(made.cause)
  return read(made.body)
}
const refusal = async (message: string, o: ConversionOptions = toSeven) => {
  const made = await convertBody(bodyOf(bytes(message)), o)
  return made.ok ? undefined : [made.why, made.cause]
}

const unquoted = (s: string): string =>
  s.replaceAll('=\r\n', '').replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
const unbased = (s: string): string => Buffer.from(s, 'base64').toString('latin1')
/** The header and the decoded content of a message that is one part. */
const decoded = (message: string): { header: string; content: string } => {
  const end = message.indexOf('\r\n\r\n') + 4
  const header = message.slice(0, end)
  const decode = /: base64\r\n/.test(header) ? unbased : /: quoted-printable/.test(header) ? unquoted : (s: string) => s
  return { header, content: decode(message.slice(end)) }
}

describe('to 7bit (RFC 6152 §3)', () => {
  test('text becomes quoted-printable, its label follows in its place, and nothing else changes', async () => {
    const message = text(
      'Received: by x',
      'content-transfer-ENCODING: 8bit (of course)',
      'MIME-Version: 1.0',
      'Content-Type: text/plain;',
      '  charset=iso-8859-1',
      '',
      'gr\xfc\xdfe from a long line that goes on, and on, and on, and on, and on, to the end = here ',
      '.',
    )
    expect(await converted(message)).toBe(
      text(
        'Received: by x',
        'Content-Transfer-Encoding: quoted-printable',
        'MIME-Version: 1.0',
        'Content-Type: text/plain;',
        '  charset=iso-8859-1',
        '',
        'gr=FC=DFe from a long line that goes on, and on, and on, and on, and on, to=',
        ' the end =3D here=20',
        '.',
      ),
    )
  })
  test('text that is mostly 8bit, and what is no text, becomes base64', async () => {
    const chinese = Buffer.from('这是一条消息\r\n').toString('latin1')
    for (const [type, content] of [
      ['text/plain; charset=utf-8', chinese],
      ['application/octet-stream', '\xff a little'],
    ] as const) {
      const { header, content: back } = decoded(
        await converted(text(`Content-Type: ${type}`, 'MIME-Version: 1.0', '') + content),
      )
      expect(header).toContain('Content-Transfer-Encoding: base64\r\n')
      expect(back).toBe(content)
    }
  })
  test('each part is taken by itself; multiparts and messages are only labelled', async () => {
    const message = text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary="a b"',
      'Content-Transfer-Encoding: 8bit',
      '',
      'preamble',
      '--a b',
      '',
      'plain',
      '--a b',
      'Content-Transfer-Encoding: 8bit',
      '',
      'caf\xe9',
      '--a b  ',
      'Content-Type: message/rfc822',
      'Content-Transfer-Encoding: 8bit',
      '',
      'Subject: inside',
      'Content-Type: multipart/alternative; boundary=in (comment)',
      '',
      '--in',
      'Content-Type: image/x',
      '',
      '\xff\xd8',
      '--in--',
      'epilogue',
      '--a b--',
    )
    const expected = message
      .replace('boundary="a b"\r\nContent-Transfer-Encoding: 8bit', 'boundary="a b"\r\nContent-Transfer-Encoding: 7bit')
      .replace('8bit\r\n\r\ncaf\xe9', 'quoted-printable\r\n\r\ncaf=E9')
      .replace('rfc822\r\nContent-Transfer-Encoding: 8bit', 'rfc822\r\nContent-Transfer-Encoding: 7bit')
      .replace('image/x\r\n\r\n\xff\xd8', 'image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n/9g=')
    expect(await converted(message)).toBe(expected)
  })
  test('what was never MIME says what it is now (RFC 1428 §3)', async () => {
    expect(await converted(text('Subject: hi', '', '\xe9'))).toBe(
      text(
        'Subject: hi',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=unknown-8bit',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        '=E9',
      ),
    )
  })
  test('a message that is 7bit is given back itself, or with other labels', async () => {
    const body = bodyOf(bytes(text('Subject: hi', '', 'hello')))
    expect(await convertBody(body, toSeven)).toEqual({ ok: true, body, parts: 0 })
    expect(await converted(text('Content-Transfer-Encoding: 8bit', '', 'hello'))).toBe(
      text('Content-Transfer-Encoding: 7bit', '', 'hello'),
    )
  })
  test.each([
    ['a DKIM signature', text('DKIM-Signature: v=1', '', '\xe9')],
    ['an ARC seal', text('ARC-Message-Signature: i=1', '', '\xe9')],
    ['multipart/signed', text('Content-Type: multipart/signed; boundary=b', '', '--b', '', '\xe9', '--b--')],
    ['S/MIME', text('Content-Type: application/pkcs7-mime', '', '\xe9')],
    ['PGP in the text', text('Subject: x', '', '-----BEGIN PGP SIGNED MESSAGE-----', '\xe9')],
  ])('%s is not broken, unless told to', async (_what, message) => {
    expect(await refusal(message)).toEqual(['signed', 'a signature covers the content'])
    const told = await converted(message, { ...toSeven, evenSigned: true })
    expect(Buffer.from(told, 'latin1').every(octet => octet < 128)).toBe(true)
  })
  test('a signed message that is 7bit keeps even its wrong labels', async () => {
    const message = text('DKIM-Signature: v=1', 'Content-Transfer-Encoding: 8bit', '', 'hello')
    expect(await converted(message)).toBe(message)
  })
  test.each([
    ['an 8bit header', text('Subject: \xe9', '', 'x')],
    ['an 8bit header of a part', text('Content-Type: multipart/x; boundary=b', '', '--b', 'X: \xe9', '', '--b--')],
    ['a preamble', text('Content-Type: multipart/x; boundary=b', '', '\xe9', '--b', '', '', '--b--')],
    ['a part that claims to be encoded', text('Content-Transfer-Encoding: base64', '', '\xe9')],
    ['a report', text('Content-Type: message/delivery-status', '', 'X: \xe9')],
    ['a multipart without a boundary', text('Content-Type: multipart/mixed', '', '\xe9')],
  ])('what cannot be said in 7bit is refused: %s', async (_what, message) => {
    expect((await refusal(message))?.[0]).toBe('structure')
  })
  test('message/global may be encoded (RFC 6532 §3.7)', async () => {
    const made = await converted(text('Content-Type: message/global', '', 'Subject: \xc3\xa9', '', 'x'))
    expect(decoded(made).content).toBe(text('Subject: \xc3\xa9', '', 'x'))
  })
  test('rows 38 and 39: a message of endless headers, parts or depth is refused in bounded memory', async () => {
    const nested = Array.from({ length: 200 }, (_, i) =>
      text(`Content-Type: multipart/mixed; boundary=b${i}`, '', `--b${i}`),
    ).join('')
    expect(await refusal(nested)).toEqual(['structure', 'its parts are nested too deep'])
    const many = text('Content-Type: multipart/mixed; boundary=b', '') + text('--b', '').repeat(20_000)
    expect(await refusal(many)).toEqual(['structure', 'it has too many parts'])
    const long = `X: ${'x'.repeat(1_100_000)}`
    expect(await refusal(long)).toEqual(['structure', 'a header is too long'])
  })
})

describe('from BINARYMIME (RFC 3030 §3)', () => {
  const message = text('MIME-Version: 1.0', 'Content-Type: image/x', 'Content-Transfer-Encoding: binary', '')
  const goals: readonly ConversionOptions[] = [
    { to: '8bit', binary: true },
    { to: '7bit', binary: true },
  ]
  test.each(goals)('NUL, bare CR and LF and long lines become base64: $to', async goal => {
    for (const content of ['\0\r\n', 'a\nb', 'a\rb\r\n', 'x'.repeat(999), 'a\r']) {
      const { header, content: back } = decoded(await converted(message + content, goal))
      expect(header).toContain('Content-Transfer-Encoding: base64\r\n')
      expect(back).toBe(content)
    }
  })
  test('what is not binary is only labelled, as much as it is', async () => {
    const [eight, seven] = goals
    expect(await converted(`${message}\xff\r\n`, eight)).toBe(`${message.replace('binary', '8bit')}\xff\r\n`)
    expect(await converted(`${message}x\r\n`, eight)).toBe(`${message.replace('binary', '7bit')}x\r\n`)
    expect(decoded(await converted(`${message}\xff\r\n`, seven)).content).toBe('\xff\r\n')
  })
})

test('the encoded content is the content, however it is cut, and its lines are short', async () => {
  const octets = array(
    oneof(constantFrom('\r\n', ' ', '\t', '=', '.', '\r', '\n', '\0', '\xe9', '--b', '--b--'), string()),
    { maxLength: 60 },
  )
  await assert(
    asyncProperty(octets, integer({ min: 1, max: 50 }), boolean(), async (pieces, cut, isText) => {
      const content = `\xff${Buffer.from(pieces.join('')).toString('latin1')}`
      const message = text('MIME-Version: 1.0', `Content-Type: ${isText ? 'text/plain' : 'x/y'}`, '') + content
      const made = await convertBody(inPieces(message, cut), toSeven)
      if (!made.ok) throw new Error(made.cause)
      const result = await read(made.body)
      expect(await read(made.body)).toBe(result)
      expect(result.split('\r\n').every(line => line.length <= 76)).toBe(true)
      expect(decoded(result).content).toBe(content)
      expect(Buffer.from(result, 'latin1').every(octet => octet < 128 && octet !== 0)).toBe(true)
    }),
  )
})
test('a multipart is the same but for its encodings, however it is cut', async () => {
  const part = array(constantFrom('\r\n', 'a', '\xe9', '-', '--', '--bb', '--b-', ' '), { maxLength: 20 })
  await assert(
    asyncProperty(array(part, { maxLength: 4 }), integer({ min: 1, max: 20 }), async (parts, cut) => {
      const contents = parts.map(p => `x${p.join('')}`)
      const head = text('Content-Type: multipart/mixed; boundary="b="', '')
      const message = `${head}${contents.map(c => `--b=\r\n\r\n${c}\r\n`).join('')}--b=--\r\n`
      const made = await convertBody(inPieces(message, cut), toSeven)
      if (!made.ok) throw new Error(made.cause)
      const sections = (await read(made.body)).slice(head.length).split('--b=').slice(1, -1)
      const back = sections.map(s => decoded(s.slice(s.startsWith('\r\n\r\n') ? 0 : 2, -2)).content)
      expect(back).toEqual(contents)
    }),
  )
})
