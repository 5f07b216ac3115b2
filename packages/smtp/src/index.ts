export { parseCommand } from './parse-command.ts'
export type { CommandOptions, ParsedCommand } from './parse-command.ts'
export type { Command, MailParams, NotifyOn, RcptParams, Verb } from './command.ts'
export { xclientKeyword, xforwardKeyword } from './client-attributes.ts'
export type { ClientAttributes, ForwardedAttributes } from './client-attributes.ts'
export { xtextDecode, xtextEncode } from './xtext.ts'
export { parseEhlo } from './ehlo.ts'
export { ReplyReader } from './reply-reader.ts'
export type { ReplyFault, ReplyLimits } from './reply-reader.ts'
export {
  provedKey,
  readClientFinal,
  readClientFirst,
  readSaslName,
  readServerFinal,
  readServerFirst,
  scramKeys,
  scramProof,
  signedWords,
  writeClientFinal,
  writeClientFirst,
  writeSaslName,
  writeServerFinal,
  writeServerFirst,
  writeUnproved,
} from './scram.ts'
export type { ClientFinal, ClientFirst, ScramHash, ScramKeys, ServerFirst } from './scram.ts'
export { DotStuffer } from './dot-stuffer.ts'
export { LineEnds } from './line-ends.ts'
