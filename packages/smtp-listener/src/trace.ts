/** A client's line as a transcript has it; what follows the mechanism of AUTH is a secret, and control characters are escaped. */
export const tracedCommand = (line: string): string => {
  const shown = line.replace(/^(auth \S+ ).*/is, '$1***')
  const escaped = JSON.stringify(shown).slice(1, -1)
  return escaped === shown.replaceAll('"', String.raw`\"`) && !/[^\x20-\x7e]/.test(shown)
    ? `C: ${shown}`
    : `C= ${escaped}\\r\\n`
}
