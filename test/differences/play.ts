import { connect, type Socket } from 'node:net'
import type { Turn } from './turns.ts'

/** What a server answered to one turn: its replies as `250 2.1.0`, or what came instead. */
export type Answer = readonly string[]

/** Said of a turn that could not be played, since the server had gone or wanted no content. */
export const notPlayed = '–'
export const closed = 'closed'
const silent = 'silent'

const silenceMs = 20_000
/** For replies that nobody expects. */
const stragglersMs = 700
const wholeReply = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/

class Line {
  readonly #socket: Socket
  #text = ''
  #over = false
  #wake = (): void => undefined

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', chunk => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.#over = true
      this.#wake()
    })
  }
  /** The next reply as it came, or `closed`, or `silent`. */
  async reply(waitMs = silenceMs): Promise<string> {
    const end = performance.now() + waitMs
    for (;;) {
      const whole = wholeReply.exec(this.#text)?.[0]
      if (whole !== undefined) {
        this.#text = this.#text.slice(whole.length)
        return whole.trimEnd().replaceAll('\r\n', '\n')
      }
      if (this.#over) return closed
      const left = end - performance.now()
      if (left <= 0) return silent
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  say(bytes: Uint8Array | string): void {
    if (!this.#over) this.#socket.write(bytes)
  }
  cut(): void {
    this.#socket.destroy()
  }
}

/** Code and status of a reply. */
const brief = (reply: string): string =>
  /^\d{3}(?:[ -][245]\.\d{1,3}\.\d{1,3}(?=\s|$))?/.exec(reply)?.[0].replace('-', ' ') ?? reply

export const codeOf = (answer: string): number => Number(/^\d{3}/.exec(answer)?.[0] ?? 0)
const taken = (answer: string | undefined): boolean => /^[23]/.test(answer ?? '')

/** The EHLO keywords that a server offers, with what stands behind them. */
export const offers = async (port: number): Promise<ReadonlyMap<string, string>> => {
  const line = new Line(port)
  try {
    await line.reply()
    line.say('EHLO client.test\r\n')
    const lines = (await line.reply()).split('\n').slice(1)
    return new Map(lines.map(l => [/^250[ -](\S+)/.exec(l)?.[1]?.toUpperCase() ?? '', l.slice(4)]))
  } finally {
    line.cut()
  }
}

/**
 * Play the turns at a server and say what it answered to each. Where it takes what Posthorn refuses, or the other way round, it is led back
 * to where the transcript is, so that one difference is not followed by others that only come of it.
 */
export const play = async (port: number, turns: readonly Turn[]): Promise<readonly Answer[]> => {
  const line = new Line(port)
  const answers: string[][] = []
  let over = false
  try {
    await line.reply()
    for (const [i, turn] of turns.entries()) {
      const before = answers[i - 1]?.at(-1) ?? ''
      const contentUnasked = turns[i - 1]?.replies.at(-1) === 354 && codeOf(before) !== 354
      if (over || contentUnasked) {
        answers.push([notPlayed])
        continue
      }
      line.say(turn.said)
      const answer: string[] = []
      answers.push(answer)
      for (const _ of turn.replies) {
        answer.push(brief(await line.reply()))
        if (!taken(answer.at(-1)) && codeOf(answer.at(-1) ?? '') === 0) break
      }
      over = answer.at(-1) === closed
      await settle(line, turn, answer)
    }
    return answers
  } finally {
    line.cut()
  }
}

const settle = async (line: Line, turn: Turn, answer: string[]): Promise<void> => {
  const said = Buffer.from(turn.said).toString('latin1')
  const [ours, theirs] = [turn.replies.at(-1) ?? 0, answer.at(-1) ?? '']
  if (codeOf(theirs) === 354 && ours !== 354) {
    line.say('.\r\n')
    answer.push(brief(await line.reply()))
  }
  // What smugglers are after: more replies than one message should have.
  if (/[^\r]\n|\r[^\n]/.test(said)) {
    for (let more = await line.reply(stragglersMs); codeOf(more) !== 0; more = await line.reply(stragglersMs))
      answer.push(brief(more))
  }
  if (turn.replies.length !== 1 || !/^\s*mail\b/i.test(said) || codeOf(theirs) === 0) return
  if (ours >= 400 && taken(theirs)) line.say('RSET\r\n')
  else if (ours < 400 && !taken(theirs)) line.say('MAIL FROM:<ann@client.test>\r\n')
  else return
  await line.reply()
}
