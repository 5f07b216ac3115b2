import { accept, reject } from './reply.ts'
import type { Accept, Reject } from './reply.ts'

/** How each command is written, in the order in which it is listed. */
const syntax: ReadonlyMap<string, string> = new Map([
  ['EHLO', 'EHLO domain: say who you are and learn what is offered (RFC 5321)'],
  ['HELO', 'HELO domain: the same without extensions (RFC 5321)'],
  ['LHLO', 'LHLO domain: the same where LMTP is spoken (RFC 2033)'],
  ['MAIL', 'MAIL FROM:<address> [parameters]: begin a message (RFC 5321)'],
  ['RCPT', 'RCPT TO:<address> [parameters]: name a recipient (RFC 5321)'],
  ['DATA', 'DATA: send the message, ended by a dot on a line of its own (RFC 5321)'],
  ['BDAT', 'BDAT octets [LAST]: send a chunk of the message (RFC 3030)'],
  ['RSET', 'RSET: forget the message at hand (RFC 5321)'],
  ['NOOP', 'NOOP: nothing (RFC 5321)'],
  ['VRFY', 'VRFY address [SMTPUTF8]: ask for a mailbox (RFC 5321)'],
  ['EXPN', 'EXPN address [SMTPUTF8]: ask for the members of a list (RFC 5321)'],
  ['ETRN', 'ETRN domain: have what waits for it sent now (RFC 1985)'],
  ['STARTTLS', 'STARTTLS: go on under TLS (RFC 3207)'],
  ['AUTH', 'AUTH mechanism [response]: log in (RFC 4954)'],
  ['HELP', 'HELP [command]: this (RFC 5321)'],
  ['QUIT', 'QUIT: the end (RFC 5321)'],
])

const verbs = [...syntax.keys()]
/** RFC 5321 §4.1.1.8 */
const overview: Accept = accept(
  214,
  '2.0.0',
  'Commands; HELP with one of them says more:',
  verbs.slice(0, 8).join(' '),
  verbs.slice(8).join(' '),
)
/** RFC 5321 §4.2.4, RFC 3463 §3.6 (X.5.4) */
const noHelp: Reject = reject(504, '5.5.4', 'No help for that')
const each: ReadonlyMap<string, Accept> = new Map([...syntax].map(([verb, text]) => [verb, accept(214, '2.0.0', text)]))

/** The answer to HELP: about one command, in any case of letters, or about all of them (RFC 5321 §4.1.1.8). */
export const helpFor = (topic: string): Accept | Reject =>
  topic === '' ? overview : (each.get(topic.toUpperCase()) ?? noHelp)
