import { defer, reject } from '@posthorn/reply'
import type { Enhanced, Reply } from '@posthorn/reply'

/**
 * A plugin's refusal in the place of the greeting, where only 421 and 554 may stand (RFC 5321 §3.1, §4.3.2), or 521 from a host
 * that takes no mail at all (RFC 7504 §2).
 */
export const refusalAtConnect = (reply: Reply<4 | 5>): Reply<4 | 5> => {
  if (reply.code === 421 || reply.code === 554 || reply.code === 521) return reply
  const lines = reply.lines as readonly [string, ...string[]]
  return reply.class === 4
    ? defer(421, reply.enhanced as Enhanced<4>, ...lines)
    : reject(554, reply.enhanced as Enhanced<5>, ...lines)
}
