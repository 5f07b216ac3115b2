import { utf8 } from './bytes.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

const base64 = (bytes: Uint8Array): string => {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3)
    const left = bytes.length - at
    const digits = [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63]
    text += digits.map((digit, i) => (i > left ? '=' : (alphabet[digit] ?? ''))).join('')
  }
  return text
}

/** 75 characters at most (RFC 2047 §2): 60 digits of base64 between `=?UTF-8?B?` and `?=`. */
const BYTES_PER_WORD = 45

const encodeRun = (text: string): string => {
  const words: string[] = []
  let run = ''
  let size = 0
  // By code points: an encoded word must not end in the middle of a character (RFC 2047 §5).
  for (const character of text) {
    const length = utf8(character).byteLength
    if (size + length > BYTES_PER_WORD) {
      words.push(run)
      run = ''
      size = 0
    }
    run += character
    size += length
  }
  words.push(run)
  return words.map(word => `=?UTF-8?B?${base64(utf8(word))}?=`).join(' ')
}

/**
 * A field value in ASCII: each run of words with other characters becomes encoded words (RFC 2047 §2), with the white space
 * between such words inside, since readers drop it between two encoded words (RFC 2047 §6.2). ASCII words stay as they are.
 */
export const encodeWords = (value: string): string => {
  const parts = value.split(/([ \t]+)/)
  const runs: string[] = []
  let run = ''
  for (let at = 0; at < parts.length; at += 2) {
    const word = parts[at] ?? ''
    const gap = at === 0 ? '' : (parts[at - 1] ?? '')
    if (/^[\x20-\x7e]*$/.test(word)) {
      if (run !== '') runs.push(encodeRun(run))
      run = ''
      runs.push(gap + word)
    } else if (run === '') {
      runs.push(gap)
      run = word
    } else run += gap + word
  }
  if (run !== '') runs.push(encodeRun(run))
  return runs.join('')
}
