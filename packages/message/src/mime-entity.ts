import { parseHeaders, type Headers } from './headers.ts'

/** What the header of a message or of a part says about its content. */
export interface MimeEntity {
  /** Where it stands: 0 is the message itself; parts follow in order. */
  readonly index: number
  /** It is the header of a message, not of a part. */
  readonly root: boolean
  readonly headers: Headers
  /** Lower case, such as `text/plain`. */
  readonly type: string
  /** Content-Transfer-Encoding in lower case; `7bit` when absent. */
  readonly encoding: string
  readonly kind: 'leaf' | 'multipart' | 'message'
  /** Of a multipart. */
  readonly boundary?: string
}

const MAX_BOUNDARY = 200

/** A comment of RFC 5322 §3.2.2 outside of quotes says nothing here; nested ones are not worth the trouble. */
const withoutComments = (value: string): string =>
  value.replaceAll(/("(?:\\.|[^"\\])*")|\([^()]*\)/g, (_, quoted: string | undefined) => quoted ?? ' ')

const boundaryOf = (value: string): string | undefined => {
  const [, quoted, token] = /;\s*boundary\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;"]+))/i.exec(value) ?? []
  const boundary = quoted?.replaceAll(/\\(.)/g, '$1') ?? token
  return boundary === undefined || boundary.trimEnd() === '' || boundary.length > MAX_BOUNDARY
    ? undefined
    : boundary.trimEnd()
}

/** Encodings that leave the content as it is; only in them may a part hold others (RFC 2045 §6.4). */
const identity: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary'])

/** Read the header of an entity. In a digest what is not said is `message/rfc822` (RFC 2046 §5.1.5). */
export const mimeEntity = (
  block: Uint8Array,
  at: Pick<MimeEntity, 'index' | 'root'> & { readonly inDigest: boolean },
): MimeEntity => {
  const { index, root, inDigest } = at
  const headers = parseHeaders(block)
  const value = withoutComments(headers.first('content-type') ?? '')
  const preset = inDigest ? 'message/rfc822' : 'text/plain'
  const type = (/^\s*([^\s;/]+\/[^\s;/]+)\s*(?:;|$)/.exec(value)?.[1] ?? preset).toLowerCase()
  const encoding =
    withoutComments(headers.first('content-transfer-encoding') ?? '')
      .trim()
      .toLowerCase() || '7bit'
  const boundary = type.startsWith('multipart/') ? boundaryOf(value) : undefined
  const open = identity.has(encoding)
  const kind =
    open && boundary !== undefined ? 'multipart' : open && type === 'message/rfc822' ? 'message' : ('leaf' as const)
  return { index, root, headers, type, encoding, kind, ...(boundary === undefined ? {} : { boundary }) }
}
