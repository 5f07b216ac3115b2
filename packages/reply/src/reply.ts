/** The first digit of a reply that ends a command (RFC 5321 §4.2.1). */
export type Class = 2 | 4 | 5

/** The codes that may leave us, by class (RFC 5321 §4.2.3, RFC 4954 §6, RFC 3207 §4, RFC 7504 §2, RFC 1985 §5.3). */
export interface CodeOf {
  2: 214 | 220 | 221 | 235 | 250 | 251 | 252 | 253
  4: 421 | 450 | 451 | 452 | 454 | 455 | 458 | 459
  5: 500 | 501 | 502 | 503 | 504 | 521 | 523 | 530 | 534 | 535 | 538 | 550 | 551 | 552 | 553 | 554 | 555 | 556
}

/** An enhanced status code whose class agrees with the reply's (RFC 3463 §2). */
export type Enhanced<C extends Class> = `${C}.${number}.${number}`

/** A final reply: what is said to a command. Plain data; made only by `accept`, `defer` and `reject`. */
export interface Reply<C extends Class = Class> {
  readonly class: C
  readonly code: CodeOf[C]
  readonly enhanced: Enhanced<C>
  readonly lines: readonly string[]
}
export type Accept = Reply<2>
export type Defer = Reply<4>
export type Reject = Reply<5>

/** Make a reply of one class. Throws RangeError on a malformed status or on text that could not go on the wire. */
export type Make<C extends Class> = (
  code: CodeOf[C],
  enhanced: Enhanced<C>,
  ...lines: readonly [string, ...string[]]
) => Reply<C>

const encode = ({ code, enhanced, lines }: Reply): string => {
  const last = lines.length - 1
  return lines.map((line, i) => `${code}${i === last ? ' ' : '-'}${enhanced} ${line}\r\n`).join('')
}

/** Its private field is what no look-alike has, and costs the collector nothing, as a WeakSet with every reply in it would. */
class Made<C extends Class> implements Reply<C> {
  readonly class: C
  readonly code: CodeOf[C]
  readonly enhanced: Enhanced<C>
  readonly lines: readonly string[]
  #encoded: string | undefined

  constructor(cls: C, code: CodeOf[C], enhanced: Enhanced<C>, lines: readonly string[]) {
    this.class = cls
    this.code = code
    this.enhanced = enhanced
    this.lines = Object.freeze(lines)
    Object.freeze(this)
  }
  static is(x: unknown): x is Made<Class> {
    return typeof x === 'object' && x !== null && #encoded in x
  }
  /** Most replies are constants, so each is put into words once. */
  static encoded(reply: Made<Class>): string {
    return (reply.#encoded ??= encode(reply))
  }
}

const make =
  <C extends Class>(cls: C): Make<C> =>
  (code, enhanced, ...lines) => {
    if (Math.trunc(code / 100) !== cls) throw new RangeError(`code ${code} is not of class ${cls}`)
    if (!/^\d\.\d{1,3}\.\d{1,3}$/.test(enhanced) || Number(enhanced[0]) !== cls)
      throw new RangeError(`malformed status ${enhanced}`)
    if (lines.length === 0 || lines.some(l => /[^\x20-\x7e]/.test(l) || l.length > 490))
      throw new RangeError('reply text must be short printable ASCII')
    return new Made(cls, code, enhanced, lines)
  }

export const accept: Make<2> = make(2)
export const defer: Make<4> = make(4)
export const reject: Make<5> = make(5)

/** Whether a value was made by `accept`, `defer` or `reject`: a look-alike object is not a reply. */
export const isReply = (x: unknown): x is Reply => Made.is(x)
export const isDefer = (x: unknown): x is Defer => isReply(x) && x.class === 4
export const isReject = (x: unknown): x is Reject => isReply(x) && x.class === 5

/** The reply as it goes on the wire: code and enhanced status on every line (RFC 5321 §4.2, RFC 2034 §4), each with CR LF. */
export const encodeReply = (reply: Reply): string => (Made.is(reply) ? Made.encoded(reply) : encode(reply))
