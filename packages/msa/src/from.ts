import { parsePath } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'

/** Enough for a real From, which is mostly one; each is asked for. */
const mostAddresses = 100
const deepestComment = 16

/** An unquoted display name: no character that another reader could take for an address of its own (RFC 5322 §3.2.3, `phrase`). */
// oxlint-disable-next-line no-control-regex -- none of them may stand there
const phrase = /^[^\x00-\x08\x0a-\x1f\x7f<>()[\]:;@\\,"]*$/

/** Where the comment that begins at `at` ends, or -1. */
const commentEnd = (text: string, at: number): number => {
  let depth = 0
  for (; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '(' && ++depth > deepestComment) return -1
    else if (text[at] === ')' && --depth === 0) return at + 1
  }
  return -1
}
/** Where the quoted string that begins at `at` ends, or -1. */
const quotedEnd = (text: string, at: number): number => {
  for (at++; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return -1
}
const bracketEnd = (text: string, at: number, close: string): number => {
  for (at++; at < text.length; at++) {
    if (text[at] === close) return at + 1
    if (text[at] === '"') {
      const end = quotedEnd(text, at)
      if (end < 0) return -1
      at = end - 1
    }
  }
  return -1
}

/** One address while it is read: the words outside brackets, and what stood in the angle brackets. */
interface Member {
  /** With quoted strings in place, comments as spaces. */
  words: string
  /** The same without quoted strings. */
  plain: string
  angle: string | undefined
}
const empty = (): Member => ({ words: '', plain: '', angle: undefined })
const isEmpty = (member: Member): boolean => member.words.trim() === '' && member.angle === undefined

const mailboxOf = ({ words, plain, angle }: Member): Mailbox | undefined => {
  if (angle !== undefined && !phrase.test(plain)) return undefined
  const text = angle ?? `<${words.trim()}>`
  const parsed = parsePath(text, { smtputf8: true })
  // The null path is no address of a From.
  return parsed.ok && parsed.path !== null && parsed.length === text.length ? parsed.path : undefined
}

/** What to do at one character: where to go on, or undefined when the text is no address list. */
const step = (text: string, at: number, member: Member): number | undefined => {
  const c = text[at] ?? ''
  const upTo = (end: number, take: (part: string) => void): number | undefined => {
    if (end >= 0) take(text.slice(at, end))
    return end < 0 ? undefined : end
  }
  if (c === '(') return upTo(commentEnd(text, at), () => (member.words += ' '))
  if (c !== ' ' && c !== '\t' && member.angle !== undefined) return undefined
  if (c === '"') return upTo(quotedEnd(text, at), quoted => (member.words += quoted))
  if (c === '<') return upTo(bracketEnd(text, at, '>'), angle => (member.angle = angle))
  const add = (part: string): void => {
    member.words += part
    member.plain += part
  }
  // A domain literal may hold a colon.
  if (c === '[') return upTo(bracketEnd(text, at, ']'), add)
  add(c)
  return at + 1
}

/**
 * The addresses of a From, Sender or Reply-To value, unfolded (RFC 5322 §3.4, RFC 6854 groups included). Undefined when it cannot be
 * read in exactly one way, or holds no address or more than 100: who decides by a From must not guess.
 */
export const addressesOf = (value: string): readonly Mailbox[] | undefined => {
  const found: Mailbox[] = []
  let member = empty()
  let inGroup = false
  const finish = (): boolean => {
    if (isEmpty(member)) return true
    const mailbox = mailboxOf(member)
    if (mailbox === undefined || found.length === mostAddresses) return false
    found.push(mailbox)
    member = empty()
    return true
  }
  for (let at = 0; at < value.length;) {
    const c = value[at]
    if (c === ':' && !inGroup && member.angle === undefined && phrase.test(member.plain)) {
      inGroup = true
      member = empty()
      at++
    } else if (c === ',' || (c === ';' && inGroup)) {
      if (!finish()) return undefined
      inGroup &&= c === ','
      at++
    } else {
      const next = step(value, at, member)
      if (next === undefined) return undefined
      at = next
    }
  }
  return !inGroup && finish() && found.length > 0 ? found : undefined
}
