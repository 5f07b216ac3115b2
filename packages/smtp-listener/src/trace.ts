import type { Reply } from '@posthorn/reply'

/** A client's line as a transcript has it; what follows the mechanism of AUTH is a secret, and control characters are escaped. */
export const tracedCommand = (line: string): string => {
  const shown = line.replace(/^(auth \S+ ).*/is, '$1***')
  const escaped = JSON.stringify(shown).slice(1, -1)
  return escaped === shown.replaceAll('"', String.raw`\"`) && !/[^\x20-\x7e]/.test(shown)
    ? `C: ${shown}`
    : `C= ${escaped}\\r\\n`
}

/** A reply as an event has it. */
export const brief = (reply: Reply): string => `${reply.code} ${reply.enhanced} ${reply.lines[0] ?? ''}`
/** What went wrong, as an event has it. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
