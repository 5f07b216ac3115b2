import { constants } from 'node:os'

/**
 * Why a Maildir operation did not happen.
 * `full`: no room or no inode left. `quota`: the owner's share is used up. `invalid`: the path is no Maildir. `gone`: the message or
 * the directory is not there (any more). `aborted`: the caller's signal. `source`: the stream that was to be
 * delivered failed. `io`: anything else the disk said.
 */
export type MaildirFault = 'full' | 'quota' | 'invalid' | 'gone' | 'aborted' | 'source' | 'io'

/** What every function of this package throws when the disk says no; `cause` is the error of the operating system. */
export class MaildirError extends Error {
  override readonly name = 'MaildirError'
  readonly fault: MaildirFault

  constructor(fault: MaildirFault, message: string, cause?: unknown) {
    super(message, { cause })
    this.fault = fault
  }
}

const faults: Readonly<Record<string, MaildirFault>> = {
  ENOSPC: 'full',
  EDQUOT: 'quota',
  ENOENT: 'gone',
  ENOTDIR: 'invalid',
  ELOOP: 'invalid',
}

/** The code of a system error, such as `ENOENT`. Node has no name for the end of a share, only its number. */
export const codeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return 'errno' in error && error.errno === -constants.errno.EDQUOT ? 'EDQUOT' : error.code
}

/** A system error as a MaildirError that says which step failed; a MaildirError stays what it is. */
export const asMaildirError = (error: unknown, step: string): MaildirError => {
  if (error instanceof MaildirError) return error
  const code = codeOf(error)
  return new MaildirError(faults[code ?? ''] ?? 'io', `${step}: ${code ?? String(error)}`, error)
}
