import { closeSync, constants, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import type { Layout } from './directory.ts'

/** Enough for the log to end some thousands of attempts. */
const reserveBytes = 8 * 1024 * 1024

/** A file of real blocks that is removed when the disk is full. */
export interface Reserve {
  /** Make it again when there is room to spare, unless no floor is kept either; never throws. */
  refill(): void
  release(): void
}

export const createReserve = (layout: Layout, floor: number): Reserve => {
  const present = (): boolean => (statSync(layout.reserve, { throwIfNoEntry: false })?.size ?? 0) >= reserveBytes
  const fill = (): void => {
    const { bavail, bsize } = statfsSync(layout.directory)
    if (floor === 0 || present() || bavail * bsize < floor + 2 * reserveBytes) return
    const fd = openSync(layout.reserve, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    try {
      const block = new Uint8Array(1024 * 1024)
      for (let at = 0; at < reserveBytes; at += block.byteLength) writeSync(fd, block, 0, block.byteLength, at)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }
  return {
    refill: () => {
      try {
        fill()
      } catch {
        // Without a reserve a full disk is only harder to leave.
        rmSync(layout.reserve, { force: true })
      }
    },
    release: () => rmSync(layout.reserve, { force: true }),
  }
}
