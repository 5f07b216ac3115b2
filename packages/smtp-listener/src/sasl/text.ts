const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Longer than any name or password that is meant. */
const LONGEST = 1024

// RFC 4616 §2 leaves control characters to the preparation, which prohibits them (RFC 4013 §2.3).
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const control = /[\0-\x1f\x7f]/

/** UTF-8, strictly. */
export const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
/** Whether this may be the name of somebody. */
export const isName = (text: string): boolean => text !== '' && text.length <= LONGEST && !control.test(text)
/** Whether this may be a password. */
export const isSecret = (text: string): boolean => text.length <= LONGEST && !text.includes('\0')

/** Octets, or the octets of a text in UTF-8, in base64. */
export const base64 = (of: Uint8Array | string): string => Buffer.from(of as string).toString('base64')

/** RFC 4648 §4, strictly: no white space, no missing padding, no other alphabet. */
export const decodeBase64 = (text: string): Uint8Array | undefined =>
  text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
