import { createHash } from 'node:crypto'
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from 'node:fs'

/** How long a file is, and by what its content is known again. */
export interface Sum {
  readonly octets: number
  readonly sha256: string
}

const pieceSize = 1024 * 1024

/** Read a file, which must be no link, to its end; `each` gets its pieces, which do not outlast the call. */
const readThrough = (path: string, each: (piece: Uint8Array) => void): Sum => {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(pieceSize)
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  let octets = 0
  try {
    for (;;) {
      const read = readSync(fd, buffer)
      if (read === 0) return { octets, sha256: hash.digest('hex') }
      const piece = buffer.subarray(0, read)
      hash.update(piece)
      each(piece)
      octets += read
    }
  } finally {
    closeSync(fd)
  }
}

export const sumOf = (path: string): Sum => readThrough(path, () => {})

/** The octets of a file are on stable storage; its name is not for that. */
export const syncFile = (path: string): void => {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Copy a file to a new name, for its owner alone; its octets are on stable storage then, its name is not. */
export const copyFile = (from: string, to: string): Sum => {
  const fd = openSync(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    const sum = readThrough(from, piece => {
      for (let at = 0; at < piece.byteLength;) at += writeSync(fd, piece, at)
    })
    fsyncSync(fd)
    return sum
  } finally {
    closeSync(fd)
  }
}
