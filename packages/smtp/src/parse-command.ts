import * as replies from '@posthorn/reply'
import { isAscii, mailboxAt, needsSmtputf8, parsePath, textOfOctets } from '@posthorn/address'
import { readClientAttributes, readForwardedAttributes } from './client-attributes.ts'
import { readMailParams, readRcptParams } from './parameters.ts'
import type { Command, Verb } from './command.ts'
import type { Domain, ParsedPath } from '@posthorn/address'
import type { Reject } from '@posthorn/reply'

/** What the grammar depends on. */
export interface CommandOptions {
  /** The mail transaction has SMTPUTF8 (RFC 6531 §3.4). */
  readonly utf8: boolean
  /** The EHLO keywords that were offered in this session, in capitals; a parameter of any other is refused with 555. */
  readonly offered: ReadonlySet<string>
  /** Ours, for `RCPT TO:<Postmaster>` (RFC 5321 §4.1.1.3). */
  readonly domain: Domain
}

/** A command, or the reply that refuses it. `verb` is set when at least that was understood. */
export type ParsedCommand =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly verb: Verb | undefined; readonly reply: Reject }

type Row = (argument: string, options: CommandOptions) => Command | Reject

/** Control characters have no place in a command: not NUL, not a bare CR or LF, not even a tab inside. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const control = /[\0-\x1f\x7f]/

/**
 * RFC 5321 §4.1.1.1, and what clients in the field send instead: underscores, a bare address, a trailing dot, words after a
 * literal. Nothing else, since the name goes into trace headers and logs.
 */
const helloName = /^(?:[A-Za-z0-9._:-]{1,255}$|\[[!-Z^-~]{1,253}\](?= |$))/

/** RFC 4422 §3.1. */
const mechanismName = /^[A-Za-z0-9_-]{1,20}$/
const base64 = /^(?:=|(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4}))$/

const hello =
  (verb: 'EHLO' | 'HELO' | 'LHLO'): Row =>
  argument => {
    const name = helloName.exec(argument)?.[0]
    return name === undefined ? replies.badHello : { verb, name }
  }

const bare = (verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS'): Row => {
  const command: Command = Object.freeze({ verb })
  return argument => (argument === '' ? command : replies.noArgument)
}

const free =
  (verb: 'NOOP' | 'HELP'): Row =>
  argument =>
    isAscii(argument) ? { verb, argument } : replies.badArgument

/** RFC 6531 §3.7.4.2: VRFY and EXPN have an SMTPUTF8 parameter of their own. */
const ownUtf8 = ' SMTPUTF8'
const named =
  (verb: 'VRFY' | 'EXPN'): Row =>
  (octets, { offered }) => {
    const text = textOfOctets(octets)
    if (text === undefined || text === '') return replies.badArgument
    const smtputf8 = text.toUpperCase().endsWith(ownUtf8) && offered.has('SMTPUTF8')
    const argument = smtputf8 ? text.slice(0, -ownUtf8.length) : text
    return smtputf8 || isAscii(argument) ? { verb, argument, smtputf8 } : replies.verifyNeedsSmtputf8
  }

const etrn: Row = argument =>
  argument !== '' && isAscii(argument) && !argument.includes(' ') ? { verb: 'ETRN', argument } : replies.badArgument

const auth: Row = argument => {
  const [mechanism, initial, ...more] = argument.split(' ', 3)
  if (mechanism === undefined || !mechanismName.test(mechanism) || more.length > 0) return replies.badArgument
  if (initial === undefined) return { verb: 'AUTH', mechanism: mechanism.toUpperCase() }
  if (!base64.test(initial)) return replies.badAuthenticationResponse
  return { verb: 'AUTH', mechanism: mechanism.toUpperCase(), initial }
}

/** RFC 3030 §2. Twenty digits can exceed what a number holds exactly: such a chunk cannot be skipped, so it is refused. */
const bdat: Row = argument => {
  const match = /^(\d{1,20})( LAST)?$/i.exec(argument)
  const size = Number(match?.[1])
  if (match === null || !Number.isSafeInteger(size)) return replies.badArgument
  return { verb: 'BDAT', size, last: match[2] !== undefined }
}

const xclient: Row = argument => {
  const attributes = readClientAttributes(argument)
  return isRefusal(attributes) ? attributes : { verb: 'XCLIENT', attributes }
}
const xforward: Row = argument => {
  const attributes = readForwardedAttributes(argument)
  return isRefusal(attributes) ? attributes : { verb: 'XFORWARD', attributes }
}

/** Why a path was refused, said of a sender or of a recipient. */
interface PathReplies {
  readonly syntax: Reject
  readonly tooLong: Reject
}
const ofSender: PathReplies = { syntax: replies.badSender, tooLong: replies.senderTooLong }
const ofRecipient: PathReplies = { syntax: replies.badRecipient, tooLong: replies.recipientTooLong }

const refusal = (path: ParsedPath & { ok: false }, of: PathReplies): Reject => {
  if (path.why === 'utf8') return replies.needsSmtputf8
  return path.why === 'too-long' ? of.tooLong : of.syntax
}

/** `text` begins with a path; what follows it must be nothing or a space. */
const pathAndRest = (text: string, smtputf8: boolean, of: PathReplies): Reject | (ParsedPath & { ok: true }) => {
  const path = parsePath(text, { smtputf8 })
  if (!path.ok) return refusal(path, of)
  return path.length < text.length && text[path.length] !== ' ' ? of.syntax : path
}

const isRefusal = (x: object): x is Reject => 'code' in x

/** Octets of `FROM:` or `TO:` up to the path. RFC 5321 §3.3 allows no space behind the colon, but devices send one, and everyone takes it. */
const fromPath = /^from: {0,8}(?=<)/i
const toPath = /^to: {0,8}(?=<)/i

const mail: Row = (argument, { offered }) => {
  const before = fromPath.exec(argument)?.[0].length
  if (before === undefined) return replies.mailSyntax
  const text = textOfOctets(argument.slice(before))
  if (text === undefined) return replies.badSender
  const path = pathAndRest(text, true, ofSender)
  if (isRefusal(path)) return path
  const read = readMailParams(text.slice(path.length), offered)
  if (isRefusal(read)) return read
  // SMTPUTF8 stands behind the address that needs it.
  if (path.path !== null && !read.params.smtputf8 && needsSmtputf8(path.path)) return replies.needsSmtputf8
  return { verb: 'MAIL', from: path.path, params: read.params }
}

const rcpt: Row = (argument, { offered, utf8, domain }) => {
  const before = toPath.exec(argument)?.[0].length
  if (before === undefined) return replies.rcptSyntax
  const text = textOfOctets(argument.slice(before))
  if (text === undefined) return replies.badRecipient
  const postmaster = /^<(postmaster)>(?= |$)/i.exec(text)
  const path =
    postmaster === null
      ? pathAndRest(text, utf8, ofRecipient)
      : { path: mailboxAt(postmaster[1]!, domain), length: postmaster[0].length }
  if (isRefusal(path)) return path
  if (path.path === null) return replies.badRecipient
  const read = readRcptParams(text.slice(path.length), offered, utf8)
  return isRefusal(read) ? read : { verb: 'RCPT', to: path.path, params: read.params }
}

const rows: ReadonlyMap<string, readonly [Verb, Row]> = new Map<string, readonly [Verb, Row]>([
  ['EHLO', ['EHLO', hello('EHLO')]],
  ['HELO', ['HELO', hello('HELO')]],
  ['LHLO', ['LHLO', hello('LHLO')]],
  ['MAIL', ['MAIL', mail]],
  ['RCPT', ['RCPT', rcpt]],
  ['DATA', ['DATA', bare('DATA')]],
  ['BDAT', ['BDAT', bdat]],
  ['RSET', ['RSET', bare('RSET')]],
  ['QUIT', ['QUIT', bare('QUIT')]],
  ['NOOP', ['NOOP', free('NOOP')]],
  ['HELP', ['HELP', free('HELP')]],
  ['VRFY', ['VRFY', named('VRFY')]],
  ['EXPN', ['EXPN', named('EXPN')]],
  ['ETRN', ['ETRN', etrn]],
  ['AUTH', ['AUTH', auth]],
  ['STARTTLS', ['STARTTLS', bare('STARTTLS')]],
  ['XCLIENT', ['XCLIENT', xclient]],
  ['XFORWARD', ['XFORWARD', xforward]],
])

/** Not `trimEnd`: the octet A0 can end a character of UTF-8. */
const withoutTrailingSpace = (line: string): string => {
  let end = line.length
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--
  return line.slice(0, end)
}

const refuse = (verb: Verb | undefined, reply: Reject): ParsedCommand => ({ ok: false, verb, reply })

/**
 * Read one command line: its octets, one a character, without the CR LF. Verbs and keywords in any case; white space at the end
 * is tolerated (RFC 5321 §4.1.1), so are spaces behind the colon of MAIL and RCPT, but not before it (§3.3). Never throws.
 */
export const parseCommand = (line: string, options: CommandOptions): ParsedCommand => {
  const trimmed = withoutTrailingSpace(line)
  if (control.test(trimmed)) return refuse(undefined, replies.malformedLine)
  const space = trimmed.indexOf(' ')
  const row = rows.get((space < 0 ? trimmed : trimmed.slice(0, space)).toUpperCase())
  if (row === undefined) return refuse(undefined, replies.unknownCommand)
  const command = row[1](space < 0 ? '' : trimmed.slice(space + 1), options)
  return isRefusal(command) ? refuse(row[0], command) : { ok: true, command }
}
