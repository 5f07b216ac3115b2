import { mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

// The kernel's limit for the path of a Unix socket is 108 octets.
const longestPath = 100

/** Where a socket goes. `made` is a directory made for it alone, which goes with it. */
export interface SocketPlace {
  readonly path: string
  readonly made?: string
}

/** Inside the state directory, or, when that path is too long for a socket, in a private temporary directory. */
export const socketPlace = (state: string, name: string): SocketPlace => {
  const inside = join(resolve(state), name)
  if (Buffer.byteLength(inside) <= longestPath) return { path: inside }
  const made = mkdtempSync(join(tmpdir(), 'posthorn-'))
  return { path: join(made, name), made }
}

/** Remove the socket, and the directory that was made for it. */
export const leavePlace = ({ path, made }: SocketPlace): void => {
  rmSync(path, { force: true })
  // Never recursive: what else lies beside a socket may be a queue.
  if (made !== undefined) rmdirSync(made)
}
