/**
 * A dialogue as text, which is test, bug report and documentation at once. One tag a line:
 *
 *     # a comment            #! key=value   a setting of the player's own
 *     C: EHLO client.test    the client sends this line, in UTF-8 and with CR LF; consecutive ones leave as one write
 *     C= abc\r\n             the client sends exactly this: JSON escapes, each character one octet
 *     S: 250 2.0.0 Ok        the server answers this line
 *     S~ 221 2.0.0 *         … a line that begins so (the star is optional)
 *     S* 250                 … the rest of this reply, however many lines it has; what stands there is how its lines begin
 *     X: closed              something that is not a line: `closed`, or an event that the player knows, such as `tls`
 */
export interface Transcript {
  readonly settings: ReadonlyMap<string, string>
  readonly steps: readonly TranscriptStep[]
}

/** One thing that happens; `at` is the number of its line. */
export type TranscriptStep =
  | { readonly at: number; readonly do: 'send'; readonly bytes: Uint8Array }
  | {
      readonly at: number
      readonly do: 'expect'
      readonly line: string
      readonly match: 'line' | 'beginning' | 'rest'
    }
  | { readonly at: number; readonly do: 'event'; readonly name: string }

const encoder = new TextEncoder()

const octets = (at: number, escaped: string): Uint8Array => {
  let text: string
  try {
    text = JSON.parse(`"${escaped}"`) as string
  } catch {
    throw new SyntaxError(`line ${at}: not a JSON string: ${escaped}`)
  }
  return Uint8Array.from(text, c => {
    const octet = c.charCodeAt(0)
    if (octet > 255) throw new SyntaxError(`line ${at}: C= is written in octets, ${c} is not one`)
    return octet
  })
}

const stepOf = (at: number, tag: string, rest: string): TranscriptStep => {
  switch (tag) {
    case 'C:':
      return { at, do: 'send', bytes: encoder.encode(`${rest}\r\n`) }
    case 'C=':
      return { at, do: 'send', bytes: octets(at, rest) }
    case 'S:':
      return { at, do: 'expect', line: rest, match: 'line' }
    case 'S~':
      return { at, do: 'expect', line: rest.replace(/\*$/, ''), match: 'beginning' }
    case 'S*':
      return { at, do: 'expect', line: rest.replace(/\*$/, ''), match: 'rest' }
    case 'X:':
      return { at, do: 'event', name: rest }
    default:
      throw new SyntaxError(`line ${at}: unknown tag ${JSON.stringify(tag)}`)
  }
}

/** Read a transcript. Throws SyntaxError with the number of the line. */
export const parseTranscript = (text: string): Transcript => {
  const settings = new Map<string, string>()
  const steps: TranscriptStep[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const setting = /^#!\s*([a-z0-9-]+)=(.*)$/i.exec(line)
    if (setting !== null) settings.set(setting[1] ?? '', (setting[2] ?? '').trim())
    else if (line !== '' && !line.startsWith('#')) steps.push(stepOf(index + 1, line.slice(0, 2), line.slice(3)))
  }
  return { settings, steps }
}

/** What a transcript is played at: a server's session, over whatever wire. */
export interface Subject {
  /** Resolves when the bytes are on their way. */
  send(bytes: Uint8Array): void | Promise<void>
  /** The next reply line without its CR LF; `undefined` when none comes: the connection closed, or it stayed silent. */
  line(): Promise<string | undefined>
  /** What has come and was not read; looked at when the transcript is over. */
  unread(): string | undefined
  /** Whether the connection is closed now, or closes before long. */
  closed(): Promise<boolean>
  /** An `X:` event of the subject's own. */
  event?(name: string): Promise<void>
}

/** How the client's bytes are cut into writes. */
export type Cut = (bytes: Uint8Array) => readonly Uint8Array[]
/** As they stand. */
export const whole: Cut = bytes => [bytes]
/** One octet a write. */
export const byteByByte: Cut = bytes => Array.from(bytes, octet => Uint8Array.of(octet))

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const isMore = (line: string): boolean => line[3] === '-'

class Player {
  readonly #subject: Subject
  readonly #cut: Cut
  readonly #log: string[] = []
  #unsent: Uint8Array[] = []
  #last = ''

  constructor(subject: Subject, cut: Cut) {
    this.#subject = subject
    this.#cut = cut
  }
  async play(steps: readonly TranscriptStep[]): Promise<void> {
    for (const step of steps) await this.#step(step)
    await this.#flush()
    const extra = this.#subject.unread()
    if (extra !== undefined) throw this.#fault(`unexpected after the end: ${JSON.stringify(extra)}`)
  }
  async #step(step: TranscriptStep): Promise<void> {
    if (step.do === 'send') {
      this.#unsent.push(step.bytes)
      return
    }
    await this.#flush()
    if (step.do === 'event') return this.#event(step.at, step.name)
    if (step.match === 'rest') return this.#rest(step.at, step.line)
    await this.#line(step.at, step.line, step.match === 'line')
  }
  async #flush(): Promise<void> {
    if (this.#unsent.length === 0) return
    const bytes = concat(this.#unsent)
    this.#unsent = []
    for (const part of this.#cut(bytes)) await this.#subject.send(part)
  }
  async #event(at: number, name: string): Promise<void> {
    if (name !== 'closed') {
      if (this.#subject.event === undefined) throw this.#fault(`line ${at}: no such event here: ${name}`)
      return this.#subject.event(name)
    }
    if (!(await this.#subject.closed())) throw this.#fault(`line ${at}: still open`)
  }
  async #line(at: number, expected: string, exact: boolean): Promise<void> {
    const got = await this.#subject.line()
    this.#log.push(`S: ${got ?? '(nothing)'}`)
    if (got === undefined || !(exact ? got === expected : got.startsWith(expected)))
      throw this.#fault(`line ${at}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`)
    this.#last = got
  }
  /** Bounded by the subject: a server that never ends its reply runs out of time. */
  async #rest(at: number, beginning: string): Promise<void> {
    do await this.#line(at, beginning, false)
    while (isMore(this.#last))
  }
  #fault(message: string): Error {
    return new Error([message, ...this.#log.slice(-8)].join('\n  '))
  }
}

/** Play the client's part at a subject; rejects at the first line that is not as written. */
export const playTranscript = (subject: Subject, transcript: Transcript, cut: Cut = whole): Promise<void> =>
  new Player(subject, cut).play(transcript.steps)
