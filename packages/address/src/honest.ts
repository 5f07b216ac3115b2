import { isAscii } from './octets.ts'

/**
 * Characters beyond ASCII that no address needs, and that let two addresses look alike or a log line lie: C1 controls, bidirectional
 * controls (UAX #9 §2), line and paragraph separators, invisible characters but for the joiners that scripts and emoji are written
 * with, noncharacters, the byte order mark. The grammar of RFC 6531 §3.3 has them; RFC 5198 §2 and RFC 8264 §9 do not.
 */
const deceptive =
  /[\u0080-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}\p{Noncharacter_Code_Point}]/u

/** Whether text is well-formed and free of characters that deceive. ASCII is not looked at. */
export const isHonest = (text: string): boolean => isAscii(text) || (text.isWellFormed() && !deceptive.test(text))
