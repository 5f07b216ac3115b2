/** Commonly mapped to nothing (RFC 3454 B.1): they are not seen, and people do not know that they typed them. */
// oxlint-disable-next-line no-misleading-character-class -- they are meant one by one
const invisible = /[\u00AD\u034F\u1806\u180B-\u180D\u200B-\u200D\u2060\uFE00-\uFE0F\uFEFF]/gu
const longestName = 255
const longestPassword = 1024

/** Nearly all names and many passwords: one spelling as they are. */
const plainName = /^(?!\.)[!-.0-@[\]-~]{1,255}$/
const plainPassword = /^[ -~]{1,1024}$/

const octets = (text: string): number => new TextEncoder().encode(text).length

/**
 * The one spelling of a user name: compatibility forms and case folded (after RFC 8265 §3.3). Undefined when it is none: empty,
 * over 255 octets, or with white space, controls, invisible or unassigned characters; nor does a name that names a mailbox too look
 * like a path.
 */
export const prepareName = (text: string): string | undefined => {
  if (plainName.test(text)) return text
  if (text.length > longestName) return undefined
  const name = text.normalize('NFKC').toLowerCase().normalize('NFKC')
  return /^(?!\.)[^\p{C}\p{Z}/\\]+$/u.test(name) && octets(name) <= longestName ? name : undefined
}

/**
 * The one spelling of a password, as SCRAM asks for it (SASLprep, RFC 4013 §2). Undefined when it is none: empty, over 1,024
 * octets, or with control characters.
 */
export const preparePassword = (text: string): string | undefined => {
  if (plainPassword.test(text)) return text
  if (text.length > longestPassword) return undefined
  const password = text
    .replaceAll(/\p{Zs}/gu, ' ')
    .replaceAll(invisible, '')
    .normalize('NFKC')
  const possible = password.length > 0 && octets(password) <= longestPassword && !/[\p{Cc}\p{Cs}]/u.test(password)
  return possible ? password : undefined
}
