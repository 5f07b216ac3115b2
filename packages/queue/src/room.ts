import { statfsSync } from 'node:fs'
import type { Clock } from '@posthorn/contracts'

/** Inodes below which the disk counts as full. */
const inodeFloor = 1000

/** Free space of a file system, looked at most once a second; what is let in meanwhile is counted off. */
export interface Room {
  /** Whether so many octets leave the floor free. */
  has(octets: number): boolean
  /** The disk said that it is full: believe it for a second. */
  lost(): void
}

export const createRoom = (
  directory: string,
  o: {
    readonly floor: number
    readonly clock: Clock
    readonly statfs?: (path: string) => { bavail: number; bsize: number; ffree: number; files: number }
  },
): Room => {
  const statfs = o.statfs ?? statfsSync
  let checked = -Infinity
  let free = 0
  const look = (): void => {
    checked = o.clock.monotonic()
    try {
      const { bavail, bsize, ffree, files } = statfs(directory)
      // A file system without a fixed number of inodes says 0 of 0.
      free = files > 0 && ffree < inodeFloor ? 0 : bavail * bsize
    } catch {
      // A file system that does not even answer takes no mail.
      free = 0
    }
  }
  return {
    has: octets => {
      if (o.clock.monotonic() - checked >= 1000) look()
      if (free - octets < o.floor || free === 0) return false
      free -= octets
      return true
    },
    lost: () => {
      checked = o.clock.monotonic()
      free = 0
    },
  }
}
