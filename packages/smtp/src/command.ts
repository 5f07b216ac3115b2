import type { Mailbox } from '@posthorn/address'
import type { ClientAttributes, ForwardedAttributes } from './client-attributes.ts'

/** Which reports a recipient's sender wants (RFC 3461 §4.1). `never` stands alone. */
export type NotifyOn = readonly ('success' | 'failure' | 'delay')[] | 'never'

/** The parameters of MAIL that are understood. Absence is `undefined` or `false`. */
export interface MailParams {
  /** Octets, as announced (RFC 1870 §6). May exceed what a message can have. */
  readonly size?: number
  /** RFC 6152 §2, RFC 3030 §3. */
  readonly body?: '7bit' | '8bitmime' | 'binarymime'
  /** RFC 6531 §3.4. */
  readonly smtputf8: boolean
  /** RFC 3461 §4.3. */
  readonly ret?: 'full' | 'hdrs'
  /** xtext decoded, printable ASCII (RFC 3461 §4.4). */
  readonly envid?: string
  /** The original submitter as the client claims it; `null` is `AUTH=<>` (RFC 4954 §5). */
  readonly auth?: Mailbox | null
  /** RFC 8689 §2. */
  readonly requireTls: boolean
  /** Each recipient may be answered on its own after the content (draft-hall-prdr). */
  readonly prdr?: true
  /** -9 to 9, greater is more urgent (RFC 6710 §3). */
  readonly priority?: number
  /** Not to be sent for so many seconds, or before a wall time in ms (RFC 4865 §4). */
  readonly hold?: { readonly seconds: number } | { readonly until: number }
  /** RFC 2852 §4. Seconds may be negative in mode `notify`, after relays. */
  readonly deliverBy?: { readonly seconds: number; readonly mode: 'return' | 'notify'; readonly trace: boolean }
}

/** The parameters of RCPT that are understood. */
export interface RcptParams {
  readonly notify?: NotifyOn
  /** `type;address`, xtext decoded (RFC 3461 §4.2). */
  readonly orcpt?: string
}

/** A command that is well-formed. Whether it may come now is the session's to say. */
export type Command =
  | { readonly verb: 'EHLO' | 'HELO' | 'LHLO'; readonly name: string }
  | { readonly verb: 'MAIL'; readonly from: Mailbox | null; readonly params: MailParams }
  | { readonly verb: 'RCPT'; readonly to: Mailbox; readonly params: RcptParams }
  | { readonly verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS' }
  /** `size` octets follow the line at once, whatever the answer (RFC 3030 §2). */
  | { readonly verb: 'BDAT'; readonly size: number; readonly last: boolean }
  | { readonly verb: 'NOOP' | 'HELP'; readonly argument: string }
  /** `smtputf8`: the reply may have addresses beyond ASCII (RFC 6531 §3.7.4.2). */
  | { readonly verb: 'VRFY' | 'EXPN'; readonly argument: string; readonly smtputf8: boolean }
  | { readonly verb: 'ETRN'; readonly argument: string }
  /** `initial` is still base64; `=` means an empty response (RFC 4954 §4). */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initial?: string }
  | { readonly verb: 'XCLIENT'; readonly attributes: ClientAttributes }
  | { readonly verb: 'XFORWARD'; readonly attributes: ForwardedAttributes }

/** What a command is called on the wire, in capitals. */
export type Verb = Command['verb']
