import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory of the test's own, gone when it ends. */
export const scratch = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'mua-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}
