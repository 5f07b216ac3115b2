import type { RemoteReply } from '@posthorn/reply'

/**
 * The keywords of an EHLO or LHLO reply, in capitals, each with its parameters as sent (RFC 5321 §4.1.1.1). A line that is no
 * keyword is skipped; of a keyword given twice the parameters add up; the old `AUTH=LOGIN` form is read as `AUTH LOGIN`.
 */
export const parseEhlo = (reply: RemoteReply): ReadonlyMap<string, readonly string[]> => {
  const keywords = new Map<string, readonly string[]>()
  for (const line of reply.lines.slice(1)) {
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =](.*))?$/.exec(line.trim())
    if (match === null) continue
    const keyword = match[1]!.toUpperCase()
    const params = (match[2] ?? '').split(' ').filter(p => p !== '')
    keywords.set(keyword, [...(keywords.get(keyword) ?? []), ...params])
  }
  return keywords
}
