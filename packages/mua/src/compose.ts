import addressparser from 'nodemailer/lib/addressparser'
import MailComposer from 'nodemailer/lib/mail-composer'

/** A file that goes with a message. */
export interface Attachment {
  readonly filename: string
  readonly content: Uint8Array | string
  /** Guessed from the name when absent. */
  readonly contentType?: string
  /** Shown within the HTML where it says `cid:<this>`, instead of as a file. */
  readonly cid?: string
}

/** A message as a person writes it. Addresses may bear names: `Ann <ann@example.org>`. */
export interface Draft {
  readonly from: string
  readonly to?: readonly string[]
  readonly cc?: readonly string[]
  /** Gets the message and is not named in it. */
  readonly bcc?: readonly string[]
  readonly replyTo?: string
  readonly subject?: string
  readonly text?: string
  readonly html?: string
  readonly attachments?: readonly Attachment[]
  /** The Message-ID this answers. */
  readonly inReplyTo?: string
  /** Message-IDs of the thread, oldest first. */
  readonly references?: readonly string[]
  /** Fields besides these. Line breaks in them are taken out. */
  readonly headers?: Readonly<Record<string, string>>
  /** Now when absent. */
  readonly date?: Date
  /** Made up when absent. */
  readonly messageId?: string
}

/** A message ready to be submitted: its envelope and its bytes, with CRLF line endings. */
export interface Composed {
  readonly sender: string
  /** Each once, those of bcc too. */
  readonly recipients: readonly string[]
  readonly bytes: Uint8Array
}

/**
 * Turn a draft into a message. Content is taken from the draft alone: no path or URL in it is ever opened.
 * Throws RangeError when there is no sender or no recipient, and for one that is no address: it would silently get nothing.
 */
export const composeMessage = async (draft: Draft): Promise<Composed> => {
  const message = new MailComposer({
    ...optionsOf(draft),
    newline: 'win',
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile()
  const { from, to } = message.getEnvelope()
  if (from === false || from === '') throw new RangeError(`${JSON.stringify(draft.from)} is no sender address`)
  const lost = [...(draft.to ?? []), ...(draft.cc ?? []), ...(draft.bcc ?? [])].find(text => !hasAddress(text))
  if (lost !== undefined) throw new RangeError(`${JSON.stringify(lost)} is no recipient address`)
  if (to.length === 0) throw new RangeError('the message has no recipient')
  return { sender: from, recipients: [...new Set(to)], bytes: await message.build() }
}

const hasAddress = (text: string): boolean =>
  addressparser(text, { flatten: true }).some(({ address }) => address.includes('@'))

const optionsOf = (draft: Draft): ConstructorParameters<typeof MailComposer>[0] => ({
  from: draft.from,
  to: [...(draft.to ?? [])],
  cc: [...(draft.cc ?? [])],
  bcc: [...(draft.bcc ?? [])],
  replyTo: draft.replyTo,
  subject: draft.subject,
  text: draft.text ?? (draft.html === undefined ? '' : undefined),
  html: draft.html,
  attachments: draft.attachments?.map(a => ({
    filename: a.filename,
    content: typeof a.content === 'string' ? a.content : Buffer.from(a.content),
    contentType: a.contentType,
    cid: a.cid,
  })),
  inReplyTo: draft.inReplyTo,
  references: draft.references === undefined ? undefined : [...draft.references],
  headers: { ...draft.headers },
  date: draft.date,
  messageId: draft.messageId,
})
