/** Characters of a pattern, at most. */
const LONGEST = 500
/** Ways of matching that a pattern may have from one place of the text; the text has a thousand places. */
const MOST_WAYS = 10_000
/** What `*` and `+` count for: they can reach over all of the text. */
const UNBOUNDED = 1_000
const DEEPEST = 10

/** Why a pattern is refused, and where in it. */
class Refused extends Error {}

/** Reads the subset of regular expressions that rules may use, and counts the ways in which each part can match. */
class Reader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): number {
    const ways = this.#branches()
    if (this.#at < this.#text.length) this.#refuse('a ) that nothing opens')
    return ways
  }

  #branches(): number {
    let ways = this.#sequence()
    while (this.#take('|')) ways += this.#sequence()
    return ways
  }

  #sequence(): number {
    let ways = 1
    while (this.#at < this.#text.length && !this.#sees('|') && !this.#sees(')')) ways *= this.#piece()
    return Math.min(ways, Number.MAX_SAFE_INTEGER)
  }

  #piece(): number {
    if (this.#sees('(')) {
      const ways = this.#group()
      if (/[*+{]/.test(this.#text[this.#at] ?? '')) this.#refuse('a group can only have ? after it')
      return this.#take('?') ? ways + 1 : ways
    }
    this.#atom()
    return this.#quantifier()
  }

  #group(): number {
    if (++this.#depth > DEEPEST) this.#refuse(`groups nested more than ${DEEPEST} deep`)
    this.#at += 1
    if (this.#take('?') && !this.#take(':')) this.#refuse('of the groups that begin with (? only (?: is known')
    const ways = this.#branches()
    if (!this.#take(')')) this.#refuse('a ( that nothing closes')
    this.#depth -= 1
    return ways
  }

  #atom(): void {
    const character = this.#text[this.#at] ?? ''
    if (character === '[') return this.#characters()
    if (/[*+?{}\]]/.test(character))
      this.#refuse(`${character} stands here for nothing; write \\${character} for itself`)
    this.#at += character === '\\' ? this.#escaped() : 1
  }

  /** The length of an escape. */
  #escaped(): number {
    const next = this.#text[this.#at + 1] ?? ''
    if (!/[bBdDwWsS]|[^A-Za-z0-9]/.test(next)) this.#refuse(`\\${next} is not known; \\b \\d \\w \\s and signs are`)
    return 2
  }

  #characters(): void {
    const end = /^\[\^?(?:\\[^\n]|[^\]\\])+\]/.exec(this.#text.slice(this.#at))?.[0].length
    if (end === undefined) return this.#refuse('a [ that nothing closes')
    this.#at += end
  }

  #quantifier(): number {
    const found = /^(?:([*+])|(\?)|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??/.exec(this.#text.slice(this.#at))
    if (found === null) return 1
    this.#at += found[0].length
    const [, unbounded, optional, least, comma, most] = found
    if (optional !== undefined) return 2
    if (unbounded !== undefined || (comma !== undefined && most === undefined)) return UNBOUNDED
    return Math.max(1, Number(most ?? least) - Number(least) + 1)
  }

  #sees(character: string): boolean {
    return this.#text[this.#at] === character
  }
  #take(character: string): boolean {
    const is = this.#sees(character)
    if (is) this.#at += 1
    return is
  }
  #refuse(why: string): never {
    throw new Refused(`${why} (character ${this.#at + 1})`)
  }
}

/**
 * A pattern that cannot take long on a bounded text, or why it is refused. What is known of regular expressions: characters, `.`, `[…]`, `\b \d \w \s`,
 * `^ $`, `|`, groups, and `? * + {n,m}` after one character; after a group only `?`. So nothing is repeated that repeats, and the ways in which
 * a pattern can match are counted: too many are refused.
 */
export const safePattern = (source: string): RegExp | { readonly problem: string } => {
  if (source === '') return { problem: 'is empty, which is in every text' }
  if (source.length > LONGEST) return { problem: `has ${source.length} characters; ${LONGEST} are allowed` }
  try {
    const ways = new Reader(source).whole()
    if (ways > MOST_WAYS)
      return { problem: 'can match in too many ways; use fewer of * + {n,m}, and bounds such as {0,60} instead of *' }
    return new RegExp(source, 'i')
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
