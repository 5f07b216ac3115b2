import { accept, defer, reject } from './reply.ts'
import type { Accept, Defer, Reject } from './reply.ts'

/*
 * Every reply that a session sends on its own account. Public text is fixed and tells nothing of our insides; detail goes to the
 * journal. Codes after RFC 5321 §4.2.3 and the RFC named; enhanced codes after RFC 3463 and the registry of RFC 5248.
 */

// The session

/** To QUIT. RFC 5321 §4.1.1.10 */
export const closing: Accept = accept(221, '2.0.0', 'Bye')
/** To RSET, NOOP and whatever else just worked. RFC 5321 §4.1.1.5, §4.1.1.9 */
export const ok: Accept = accept(250, '2.0.0', 'Ok')
/** To VRFY: we neither confirm nor deny. RFC 5321 §3.5.3, §7.3 */
export const cannotVerify: Accept = accept(252, '2.5.0', 'Cannot verify; send some mail and I will try')
/** To EXPN: not one of ours that mail could go to. RFC 5321 §3.5.1, RFC 3463 §3.2 (X.1.1) */
export const noSuchList: Reject = reject(550, '5.1.1', 'No such mailing list')
/** An address in the reply is beyond ASCII, and the client did not say that it can read it. RFC 6531 §3.7.4.2 (X.6.8) */
export const replyNeedsSmtputf8: Reject = reject(550, '5.6.8', 'The reply needs SMTPUTF8')
/** To ETRN: nothing to do. RFC 1985 §5.3 */
export const nothingWaits: Accept = accept(251, '2.0.0', 'No messages waiting for this node')
/** To ETRN: so many deliveries are tried now. RFC 1985 §5.3 */
export const queueRunStarted = (waiting: number): Accept =>
  accept(253, '2.0.0', `${waiting} pending messages for this node started`)
/** To ETRN: the queue could not. RFC 1985 §5.3 */
export const queueRunFailed: Defer = defer(458, '4.3.0', 'Unable to queue messages for this node')
/** To ETRN: not a node whose mail this client may ask for, whether or not there is one. RFC 1985 §5.3 */
export const nodeNotAllowed: Defer = defer(459, '4.7.1', 'Node not allowed')
/** Draining before a stop. RFC 5321 §3.8, RFC 3463 §3.4 (X.3.2) */
export const shuttingDown: Defer = defer(421, '4.3.2', 'Service shutting down, try again later')
/** Silence for too long. RFC 5321 §4.5.3.2.7, RFC 3463 §3.5 (X.4.2) */
export const idleTimeout: Defer = defer(421, '4.4.2', 'Timeout, closing the connection')
/** A session that lasted too long in all, whatever it did. RFC 3463 §3.5 (X.4.2) */
export const sessionTooLong: Defer = defer(421, '4.4.2', 'Session has lasted too long, closing the connection')
/** RFC 5321 §7.8, RFC 3463 §3.8 (X.7.0) */
export const tooManyErrors: Defer = defer(421, '4.7.0', 'Too many errors, closing the connection')
/** Commands that do nothing, too many of them. RFC 5321 §7.8 */
export const tooManyCommands: Defer = defer(421, '4.7.0', 'Too many commands, closing the connection')
/** RFC 5321 §7.8 */
export const tooManyConnections: Defer = defer(421, '4.7.0', 'Too many connections, try again later')
/** The service as a whole is at its limit. RFC 3463 §3.4 (X.3.2) */
export const tooBusy: Defer = defer(421, '4.3.2', 'Too busy, try again later')
/** The client spoke before the greeting. RFC 5321 §3.1, §4.3.1 */
export const earlyTalker: Reject = reject(554, '5.5.1', 'Client spoke before its turn')
/** This client gets no service at all. RFC 5321 §3.1, RFC 7504 §2 */
export const noService: Reject = reject(554, '5.7.1', 'No service for this client')
/** Another protocol was spoken at us, such as HTTP. RFC 5321 §4.2.3 */
export const wrongProtocol: Reject = reject(554, '5.5.1', 'This is a mail server')

// Commands

/** A line that is no command. RFC 5321 §4.2.4, RFC 3463 §3.6 (X.5.1) */
export const unknownCommand: Reject = reject(500, '5.5.1', 'Command not recognised')
/** A command line with control characters. RFC 5321 §4.1.1, RFC 3463 §3.6 (X.5.2) */
export const malformedLine: Reject = reject(500, '5.5.2', 'Control characters are not allowed in commands')
/** RFC 5321 §4.5.3.1.4, §4.5.3.1.9 */
export const lineTooLong: Reject = reject(500, '5.5.2', 'Line too long')
/** A command we know and do not do, such as EXPN. RFC 5321 §4.2.4 */
export const notImplemented: Reject = reject(502, '5.5.1', 'Command not implemented')
/** RFC 5321 §4.1.4 */
export const badSequence: Reject = reject(503, '5.5.1', 'Bad sequence of commands')
/** RFC 5321 §4.1.4 */
export const helloFirst: Reject = reject(503, '5.5.1', 'Send EHLO first')
/** The same over LMTP. RFC 2033 §4.1 */
export const lhloFirst: Reject = reject(503, '5.5.1', 'Send LHLO first')
/** RFC 5321 §4.1.4 */
export const mailFirst: Reject = reject(503, '5.5.1', 'Send MAIL first')
/** RFC 5321 §4.1.4 */
export const rcptFirst: Reject = reject(503, '5.5.1', 'Send RCPT first')
/** RFC 5321 §4.1.4 */
export const nestedMail: Reject = reject(503, '5.5.1', 'Sender already given')
/** HELO or EHLO spoken to an LMTP service. RFC 2033 §4.1 */
export const useLhlo: Reject = reject(500, '5.5.1', 'This is LMTP, say LHLO')
/** A message that was sent before 354 by a client that was not offered PIPELINING. RFC 2920 §3.1 */
export const pipeliningNotOffered: Reject = reject(503, '5.5.0', 'Pipelining was not offered')
/** LHLO spoken to an SMTP service. RFC 2033 §4.1 */
export const useEhlo: Reject = reject(500, '5.5.1', 'This is SMTP, say EHLO')
/** RFC 5321 §4.2.4, RFC 3463 §3.6 (X.5.2) */
export const syntaxError: Reject = reject(501, '5.5.2', 'Syntax error')
/** RFC 5321 §4.2.3, RFC 3463 §3.6 (X.5.4) */
export const badArgument: Reject = reject(501, '5.5.4', 'Bad argument')
/** An argument to a command that has none. RFC 5321 §4.1.1, RFC 3207 §4 */
export const noArgument: Reject = reject(501, '5.5.4', 'No argument is allowed')
/** EHLO, HELO or LHLO without a usable name. RFC 5321 §4.1.1.1 */
export const badHello: Reject = reject(501, '5.5.4', 'A domain or an address literal is required')
/** A parameter of MAIL or RCPT given twice. RFC 5321 §4.1.1.11 */
export const duplicateParameter: Reject = reject(501, '5.5.4', 'Parameter given twice')
/** A parameter of MAIL or RCPT whose value is malformed. RFC 5321 §4.1.1.11 */
export const badParameter: Reject = reject(501, '5.5.4', 'Bad parameter value')
/** A parameter of MAIL or RCPT that was not offered. RFC 5321 §4.1.1.11 */
export const unknownParameter: Reject = reject(555, '5.5.4', 'Parameter not recognised or not offered')

/** XCLIENT or XFORWARD of somebody who is not trusted with it. Postfix, XCLIENT_README; RFC 3463 §3.8 (X.7.0) */
export const notTrusted: Reject = reject(550, '5.7.0', 'Insufficient authorization')

// The envelope

/** RFC 5321 §4.1.1.2, RFC 3463 §3.2 (X.1.0) */
export const senderOk: Accept = accept(250, '2.1.0', 'Sender ok')
/** The message goes with a lower priority than was asked for. RFC 6710 §4.1, §9 (X.3.6) */
export const priorityChanged: Accept = accept(250, '2.3.6', 'Sender ok, with a lower priority')
/** A release that is further away than was offered. RFC 4865 §4.1, §4.2 */
export const holdTooLong: Reject = reject(501, '5.5.4', 'Release is too far away')
/** Less time than was offered. RFC 2852 §4 */
export const deliverByTooSoon: Reject = reject(555, '5.5.4', 'Deliver-by time is too short')
/** RFC 5321 §4.1.1.3, RFC 3463 §3.2 (X.1.5) */
export const recipientOk: Accept = accept(250, '2.1.5', 'Recipient ok')
/** Not `MAIL FROM:<…>`. RFC 5321 §4.1.1.2 */
export const mailSyntax: Reject = reject(501, '5.5.2', 'Syntax: MAIL FROM:<address>')
/** Not `RCPT TO:<…>`. RFC 5321 §4.1.1.3 */
export const rcptSyntax: Reject = reject(501, '5.5.2', 'Syntax: RCPT TO:<address>')
/** RFC 5321 §4.1.2, RFC 3463 §3.2 (X.1.7) */
export const badSender: Reject = reject(501, '5.1.7', 'Bad sender address syntax')
/** RFC 5321 §4.1.2, RFC 3463 §3.2 (X.1.3) */
export const badRecipient: Reject = reject(501, '5.1.3', 'Bad recipient address syntax')
/** A path, local part or domain over its limit. RFC 5321 §4.5.3.1.10 */
export const senderTooLong: Reject = reject(501, '5.1.7', 'Sender address too long')
/** The same for a recipient. RFC 5321 §4.5.3.1.10 */
export const recipientTooLong: Reject = reject(501, '5.1.3', 'Recipient address too long')
/** An address beyond ASCII in a transaction without SMTPUTF8. RFC 6531 §3.5 (X.6.7) */
export const needsSmtputf8: Reject = reject(553, '5.6.7', 'Non-ASCII addresses need SMTPUTF8')
/** VRFY or EXPN beyond ASCII without SMTPUTF8. RFC 6531 §3.7.4.2 */
export const verifyNeedsSmtputf8: Reject = reject(550, '5.6.7', 'Non-ASCII addresses need SMTPUTF8')
/** The same size limit at MAIL (SIZE) and at the end of data. RFC 1870 §6.1, RFC 3463 §3.4 (X.3.4) */
export const tooBig: Reject = reject(552, '5.3.4', 'Message too big')
/** No room on the disk; the client shall come again. RFC 1870 §6.1, RFC 3463 §3.4 (X.3.1) */
export const insufficientStorage: Defer = defer(452, '4.3.1', 'Insufficient system storage')
/** Anything of ours that went wrong. RFC 5321 §4.2.3, RFC 3463 §3.4 (X.3.0) */
export const localError: Defer = defer(451, '4.3.0', 'Local error, try again later')
/** A policy that threw, was late or answered nonsense. RFC 5321 §4.2.3, RFC 3463 §3.4 (X.3.0) */
export const policyFailure: Defer = defer(451, '4.3.0', 'Policy check failed, try again later')
/** RFC 5321 §4.5.3.1.10, RFC 3463 §3.6 (X.5.3) */
export const tooManyRecipients: Defer = defer(452, '4.5.3', 'Too many recipients')
/** DATA after every RCPT was refused. RFC 5321 §3.3, §4.1.1.4 */
export const noValidRecipients: Reject = reject(554, '5.5.1', 'No valid recipients')
/** The same in LMTP. RFC 2033 §4.2 */
export const noValidRecipientsInLmtp: Reject = reject(503, '5.5.1', 'No valid recipients')
/** RFC 5321 §4.2.3, RFC 3463 §3.2 (X.1.1) */
export const noSuchMailbox: Reject = reject(550, '5.1.1', 'No such mailbox')
/** We neither hold that domain nor may this client send elsewhere. RFC 5321 §3.6.2, RFC 3463 §3.8 (X.7.1) */
export const relayDenied: Reject = reject(550, '5.7.1', 'Relaying denied')
/** Mail from the null sender that nothing of ours can have brought about. RFC 3463 §3.8 (X.7.1) */
export const bounceNotOurs: Reject = reject(550, '5.7.1', 'No mail of ours had that return path')
/** The same, of mail so old that nobody should still report on it. RFC 3463 §3.8 (X.7.1) */
export const bounceTooLate: Reject = reject(550, '5.7.1', 'That return path has expired')
/** The authenticated user may not use that sender address. RFC 6409 §6.1, RFC 3463 §3.8 (X.7.1) */
export const senderNotYours: Reject = reject(553, '5.7.1', 'Sender address is not yours to use')
/** An address in From or Sender is not the authenticated user's. RFC 6409 §6.1, RFC 3463 §3.8 (X.7.1) */
export const fromNotYours: Reject = reject(550, '5.7.1', 'From address is not yours to use')
/** None, several, or one that cannot be read. RFC 5322 §3.6, RFC 6409 §8, RFC 3463 §3.7 (X.6.0) */
export const oneFromRequired: Reject = reject(550, '5.6.0', 'Exactly one From field with valid addresses is required')
/** A report goes to one. RFC 5321 §4.5.5, RFC 3463 §3.6 (X.5.3) */
export const nullSenderOnce: Reject = reject(550, '5.5.3', 'The null sender may name one recipient only')
/** The mailbox is full, for now. RFC 3463 §3.3 (X.2.2) */
export const mailboxFull: Defer = defer(452, '4.2.2', 'Mailbox full')
/** The mailbox is full, and the operator says that this is final. RFC 3463 §3.3 (X.2.2) */
export const mailboxFullForGood: Reject = reject(552, '5.2.2', 'Mailbox full')
/** A domain that says it takes no mail. RFC 7505 §4.1 (X.1.10) */
export const nullMx: Reject = reject(556, '5.1.10', 'Recipient domain accepts no mail')
/** A sender domain that says it takes no mail. RFC 7505 §4.2 (X.7.27) */
export const senderNullMx: Reject = reject(550, '5.7.27', 'Sender domain accepts no mail')

// The content

/** We are responsible for it from here on. RFC 5321 §4.1.1.4, §4.2.5 */
export const queuedAs = (id: string): Accept => accept(250, '2.0.0', `Ok: queued as ${id}`)
/** A chunk of BDAT that was not the last. RFC 3030 §2 */
export const chunkReceived = (octets: number): Accept => accept(250, '2.0.0', `${octets} octets received`)
/** The same where no queue is: delivered to its mailbox. RFC 2033 §4.2 */
export const delivered: Accept = accept(250, '2.1.5', 'Delivered')
/** A line end that is not CR LF. RFC 5321 §2.3.8, §4.1.1.4 */
export const bareNewline: Reject = reject(550, '5.6.0', 'Bare CR or LF is not allowed')
/** A NUL in the header section. RFC 5322 §2.2, RFC 3463 §3.7 (X.6.0) */
export const malformedMessage: Reject = reject(554, '5.6.0', 'Malformed message')
/** RFC 5321 §6.3, RFC 3463 §3.5 (X.4.6) */
export const routingLoop: Reject = reject(554, '5.4.6', 'Routing loop detected')
/** RFC 5321 §4.5.3.1.7, RFC 3463 §3.4 (X.3.4) */
export const headerTooBig: Reject = reject(552, '5.3.4', 'Header section too big')
/** DATA for a message whose body must go by BDAT. RFC 3030 §3 */
export const binaryNeedsBdat: Reject = reject(503, '5.5.1', 'BINARYMIME needs BDAT')
/** DATA after BDAT in one transaction. RFC 3030 §2 */
export const noDataAfterBdat: Reject = reject(503, '5.5.1', 'DATA after BDAT')
/** Refused for a policy's reasons, nothing more to say. RFC 3463 §3.8 (X.7.1) */
export const refusedByPolicy: Reject = reject(550, '5.7.1', 'Refused by policy')

// TLS and authentication

/** RFC 3207 §4 */
export const readyForTls: Accept = accept(220, '2.0.0', 'Ready to start TLS')
/** RFC 3207 §4 */
export const tlsNotAvailable: Defer = defer(454, '4.7.0', 'TLS not available')
/** RFC 3207 §4.2 */
export const tlsAlreadyActive: Reject = reject(503, '5.5.1', 'TLS is already active')
/** STARTTLS within a mail transaction, or after AUTH. RFC 3207 §4, RFC 5321 §4.1.4 */
export const tlsTooLate: Reject = reject(503, '5.5.1', 'STARTTLS must come first')
/** Octets that followed STARTTLS in clear. RFC 3207 §6 */
export const pipelinedStartTls: Reject = reject(501, '5.5.1', 'Nothing may follow STARTTLS before its reply')
/** RFC 3207 §4 */
export const startTlsFirst: Reject = reject(530, '5.7.0', 'Must issue a STARTTLS command first')
/** RFC 4954 §6 */
export const authenticationOk: Accept = accept(235, '2.7.0', 'Authentication successful')
/** RFC 4954 §6, RFC 6409 §4.3 */
export const authenticationRequired: Reject = reject(530, '5.7.0', 'Authentication required')
/** The same text whether the user or the password is wrong. RFC 4954 §6 */
export const badCredentials: Reject = reject(535, '5.7.8', 'Authentication credentials invalid')
/** RFC 4954 §4 */
export const mechanismUnknown: Reject = reject(504, '5.5.4', 'Authentication mechanism not offered')
/** RFC 4954 §6 */
export const authenticationFailure: Defer = defer(454, '4.7.0', 'Temporary authentication failure')
/** Clear text needs TLS first. RFC 4954 §6 (X.7.11) */
export const encryptionRequired: Reject = reject(538, '5.7.11', 'Encryption required for this mechanism')
/** The client sent `*`. RFC 4954 §4 */
export const authenticationCancelled: Reject = reject(501, '5.7.0', 'Authentication cancelled')
/** A response that is not base64, or that the mechanism cannot read. RFC 4954 §4 */
export const badAuthenticationResponse: Reject = reject(501, '5.5.2', 'Cannot read the authentication response')
/** RFC 4954 §6 (X.5.6) */
export const authenticationLineTooLong: Reject = reject(500, '5.5.6', 'Authentication exchange line is too long')
/** A second AUTH. RFC 4954 §4 */
export const alreadyAuthenticated: Reject = reject(503, '5.5.1', 'Already authenticated')
/** AUTH within a mail transaction. RFC 4954 §4 */
export const authenticationInTransaction: Reject = reject(503, '5.5.1', 'No AUTH during a mail transaction')
/** Too many wrong passwords. RFC 4954 §9, RFC 3463 §3.8 (X.7.0) */
export const tooManyAuthenticationFailures: Defer = defer(421, '4.7.0', 'Too many authentication failures')
/** A policy wants TLS where the session has none. RFC 5248 §2.4 (X.7.10) */
export const encryptionNeeded: Reject = reject(523, '5.7.10', 'Encryption needed')
/** The next hop does not offer REQUIRETLS. RFC 8689 §5, §8 (X.7.30) */
export const requireTlsUnsupported: Reject = reject(550, '5.7.30', 'REQUIRETLS support required')
