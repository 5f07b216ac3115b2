import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemFiles, type Files } from '../src/files.ts'

/** A directory of the test's own, gone when it ends. */
export const scratch = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'maildir-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A disk whose `call` fails with `code` from its n-th time on (the first is 1), and which records what it was asked. */
export const faultyFiles = (
  call: keyof Files,
  code: string,
  from: number = 1,
): Files & { readonly calls: string[] } => {
  const calls: string[] = []
  let count = 0
  const watch = (name: keyof Files): void => {
    calls.push(name)
    if (name === call && ++count >= from) throw Object.assign(new Error(code), { code })
  }
  return {
    calls,
    create: async path => (watch('create'), systemFiles.create(path)),
    openDirectory: async path => (watch('openDirectory'), systemFiles.openDirectory(path)),
    write: async (fd, parts) => (watch('write'), systemFiles.write(fd, parts)),
    sync: async fd => (watch('sync'), systemFiles.sync(fd)),
    close: async fd => {
      await systemFiles.close(fd)
      watch('close')
    },
    rename: async (from, to) => (watch('rename'), systemFiles.rename(from, to)),
    unlink: async path => (watch('unlink'), systemFiles.unlink(path)),
  }
}

/** All that a stream has. */
export const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
