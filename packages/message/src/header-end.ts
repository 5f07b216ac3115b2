const CR = 13
const LF = 10

/**
 * Where the body begins: the index just after the first CRLFCRLF, or 2 when the bytes begin with an empty line; -1 when the
 * header block does not end here. `from` resumes a search in a growing buffer: the bytes before it were searched already
 * (the three before it are looked at again), so that a peer that sends one byte a time costs linear work.
 */
export const headerEnd = (bytes: Uint8Array, from: number = 0): number => {
  if (from < 2 && bytes[0] === CR && bytes[1] === LF) return 2
  // Looks at every fourth byte only: one that is neither CR nor LF cannot be within the four that are sought.
  let at = Math.max(from, 3)
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === CR) at += 1
    else if (byte !== LF) at += 4
    else if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1
    else at += 2
  }
  return -1
}
