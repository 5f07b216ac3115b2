/**
 * What SQLite's result code means for the store: `full` when the disk or the file is, `disk` when the disk failed (the
 * connection must not be used again), `corrupt` for a damaged page; undefined for anything else.
 */
export const faultOf = (error: unknown): 'full' | 'disk' | 'corrupt' | undefined => {
  const code =
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
  if (code === 13) return 'full'
  // IOERR, and what follows from it: CANTOPEN for a log that cannot be made again, NOTADB for a header that cannot be read.
  if (code === 10 || code === 14 || code === 26) return 'disk'
  return code === 11 ? 'corrupt' : undefined
}
