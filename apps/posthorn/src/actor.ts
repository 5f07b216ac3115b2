import { userInfo } from 'node:os'

/** Who is named in the history and in the event of what a command changed. */
export const actor = (): string => `${process.env['SUDO_USER'] ?? process.env['USER'] ?? name()} (command)`

const name = (): string => {
  try {
    return userInfo().username
  } catch {
    // The system knows no name for it, as in many a container.
    return `uid ${process.getuid?.() ?? '?'}`
  }
}
