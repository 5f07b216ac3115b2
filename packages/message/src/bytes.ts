const encoder = new TextEncoder()

/** The UTF-8 bytes of a text; a lone surrogate becomes U+FFFD. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** One array from many, copied. A single chunk is returned as it is. */
export const joinBytes = (chunks: readonly Uint8Array[]): Uint8Array => {
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) return only
  let size = 0
  for (const chunk of chunks) size += chunk.byteLength
  const all = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.byteLength
  }
  return all
}
