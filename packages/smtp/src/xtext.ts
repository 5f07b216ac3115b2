const encodeOctet = (octet: string): string => `+${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

/**
 * Octets, one a character, as xtext (RFC 3461 §4): printable ASCII stays, `+`, `=` and the rest become `+HH`. Throws RangeError on
 * characters beyond latin1, which have to be put into octets first.
 */
export const xtextEncode = (octets: string): string => {
  if (/[^\0-\xff]/.test(octets)) throw new RangeError('xtext holds octets')
  return octets.replaceAll(/[^!-*,-<>-~]/g, encodeOctet)
}

/** xtext back into octets, one a character; `undefined` when it is not xtext. Hexadecimal digits are capitals (RFC 3461 §4). */
export const xtextDecode = (text: string): string | undefined => {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return undefined
  if (!text.includes('+')) return text
  return text.replaceAll(/\+(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
