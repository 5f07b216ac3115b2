import type { Action } from './notify.ts'
import type { ReadRecipient } from './parse.ts'

/** A bounce that is written for people only, as old servers write them. */
export interface TextBounce {
  readonly form: 'qmail' | 'exim' | 'exchange'
  readonly recipients: readonly ReadRecipient[]
  /** Where in the text the returned message begins; absent when it is not there. */
  readonly original?: string
}

const MOST_RECIPIENTS = 100
const LONGEST_DIAGNOSTIC = 1000

const recipientOf = (address: string, said: readonly string[], action: Action): ReadRecipient => {
  const diagnostic = said.join(' ').replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_DIAGNOSTIC)
  const cls = action === 'delayed' ? '4' : '5'
  const status = new RegExp(`(?:^|[^\\d.])(${cls}\\.\\d{1,3}\\.\\d{1,3})(?![\\d.])`).exec(diagnostic)?.[1]
  return { finalRecipient: address, action, status: status ?? `${cls}.0.0`, ...(diagnostic !== '' && { diagnostic }) }
}

/** Addresses that begin entries, with the lines that belong to each: those that follow until `ends`. */
const entries = (
  lines: readonly string[],
  o: { readonly begins: RegExp; readonly ends: (line: string) => boolean; readonly action: Action },
): readonly ReadRecipient[] => {
  const found: ReadRecipient[] = []
  let address: string | undefined
  let said: string[] = []
  const close = (): void => {
    if (address !== undefined && found.length < MOST_RECIPIENTS) found.push(recipientOf(address, said, o.action))
    address = undefined
    said = []
  }
  for (const line of lines) {
    const begun = o.begins.exec(line)?.[1]
    if (begun !== undefined) {
      close()
      address = begun
    } else if (address !== undefined && o.ends(line)) close()
    else if (address !== undefined && said.length < 30) said.push(line)
  }
  close()
  return found
}

const bounce = (
  form: TextBounce['form'],
  recipients: readonly ReadRecipient[],
  original: string | undefined,
): TextBounce | undefined =>
  recipients.length === 0 ? undefined : { form, recipients, ...(original !== undefined && { original }) }

/** What stands before and after the line that announces the returned message. */
const cut = (text: string, announced: RegExp): readonly [before: string, after: string | undefined] => {
  const found = announced.exec(text)
  if (found === null) return [text, undefined]
  return [text.slice(0, found.index), text.slice(found.index + found[0].length).replace(/^\n+/, '')]
}

/** Paragraphs: a greeting, one for each recipient, a line of dashes, the message. */
const qmail = (text: string): TextBounce | undefined => {
  if (!/^\s*Hi\. This is /.test(text)) return undefined
  const [before, original] = cut(text, /^-[^\n]*\n/m)
  const ends = (line: string): boolean => line.trim() === ''
  return bounce('qmail', entries(before.split('\n'), { begins: /^<(\S+@\S+)>:$/, ends, action: 'failed' }), original)
}

/** Addresses indented by two, what was said of them by more. */
const exim = (text: string): TextBounce | undefined => {
  if (!text.includes('created automatically by mail delivery software')) return undefined
  const [before, original] = cut(text, /^-{3,} This is a copy of [^\n]*\n/m)
  const action = /not (?:yet )?been delivered|will continue/.test(before) ? 'delayed' : 'failed'
  const ends = (line: string): boolean => line.trim() !== '' && !line.startsWith('    ')
  return bounce('exim', entries(before.split('\n'), { begins: /^ {2}(\S+@\S+)$/, ends, action }), original)
}

/** `address on date`, what was said of it indented. */
const exchange = (text: string): TextBounce | undefined => {
  const start = /(?:did not reach the following recipient\(s\)|following recipient\(s\) could not be reached):/.exec(
    text,
  )
  if (start === null) return undefined
  const lines = text.slice(start.index + start[0].length).split('\n')
  const ends = (line: string): boolean => line.trim() === ''
  const begins = /^\s*['"<]?([^\s'"<>]+@[^\s'"<>]+)['">]? on \S/
  return bounce('exchange', entries(lines, { begins, ends, action: 'failed' }), undefined)
}

/** Read a bounce that is text (lines end in LF): qmail's, Exim's, old Exchange's; undefined when it is none of them. */
export const readBounceText = (text: string): TextBounce | undefined => qmail(text) ?? exim(text) ?? exchange(text)
