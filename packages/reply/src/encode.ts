import type { Reply } from './reply.ts'

/** Replies are frozen and most are constants, so each is put into words once. */
const encoded = new WeakMap<Reply, string>()

const encode = ({ code, enhanced, lines }: Reply): string => {
  const last = lines.length - 1
  return lines.map((line, i) => `${code}${i === last ? ' ' : '-'}${enhanced} ${line}\r\n`).join('')
}

/** The reply as it goes on the wire: code and enhanced status on every line (RFC 5321 §4.2, RFC 2034 §4), each with CR LF. */
export const encodeReply = (reply: Reply): string => {
  const known = encoded.get(reply)
  if (known !== undefined) return known
  const text = encode(reply)
  encoded.set(reply, text)
  return text
}
