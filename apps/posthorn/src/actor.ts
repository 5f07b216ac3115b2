/** Who is named in the history and in the event of what a command changed. */
export const actor = (): string =>
  `${process.env['SUDO_USER'] ?? process.env['USER'] ?? `uid ${process.getuid?.() ?? '?'}`} (command)`
