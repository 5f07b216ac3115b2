const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Whether a string holds nothing beyond ASCII. */
export const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text)

/**
 * Octets held one a character (latin1), read as UTF-8. `undefined` when they are not well-formed: overlong forms, surrogates and
 * truncated sequences included (RFC 3629 §3), or when a character is no octet.
 */
export const textOfOctets = (octets: string): string | undefined => {
  if (isAscii(octets)) return octets
  const bytes = new Uint8Array(octets.length)
  for (let i = 0; i < octets.length; i++) {
    const octet = octets.charCodeAt(i)
    if (octet > 0xff) return undefined
    bytes[i] = octet
  }
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** A string as its UTF-8 octets, one a character: what a wire that writes latin1 needs. */
export const octetsOfText = (text: string): string => {
  if (isAscii(text)) return text
  let octets = ''
  for (const octet of encoder.encode(text)) octets += String.fromCharCode(octet)
  return octets
}

/** The length of a string in UTF-8 octets, the unit of the limits of RFC 5321 §4.5.3.1 (RFC 6531 §3.4). */
export const octetLength = (text: string): number => (isAscii(text) ? text.length : encoder.encode(text).length)
