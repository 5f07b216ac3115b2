/** `&` and `-` around UTF-16 in base64 with a comma for the slash (RFC 3501 §5.1.3), as Courier and Dovecot name folders. */
const encodeRun = (run: string): string => {
  const utf16 = Buffer.from(run, 'utf16le').swap16()
  return `&${utf16.toString('base64').replaceAll('=', '').replaceAll('/', ',')}-`
}

/** A folder's name as the file system has it: modified UTF-7. */
export const encodeFolderName = (name: string): string =>
  name.replaceAll('&', '&-').replaceAll(/[^\x20-\x7e]+/g, encodeRun)

const decodeRun = (run: string): string | undefined => {
  const base64 = run.replaceAll(',', '/')
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.byteLength === 0 || bytes.byteLength % 2 === 1) return undefined
  const text = bytes.swap16().toString('utf16le')
  return text.isWellFormed() ? text : undefined
}

/** The name again; `undefined` when it is not lawful modified UTF-7, or says in it what could be said plainly. */
export const decodeFolderName = (encoded: string): string | undefined => {
  let name = ''
  for (const piece of encoded.split(/(&[A-Za-z0-9+,]*-)/)) {
    if (piece === '&-') name += '&'
    else if (piece.startsWith('&') && piece.endsWith('-') && piece.length > 2)
      name += decodeRun(piece.slice(1, -1)) ?? '\0'
    else name += piece.includes('&') ? '\0' : piece
  }
  return encodeFolderName(name) === encoded && !name.includes('\0') ? name : undefined
}
