import { lstat, mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { asMaildirError, codeOf, MaildirError } from './error.ts'
import { syncDirectory, systemFiles, type Files } from './files.ts'
import { GroupSync } from './group-sync.ts'
import { createNames, type Names, type NameSource } from './name.ts'

/** How a Maildir is handled; everything has a default. */
export interface MaildirOptions {
  /** Where unique names come from; give the same to every Maildir of a process. */
  readonly names?: Names | NameSource
  /** Whether deliveries wait for stable storage; `true` when absent. Without it a power cut loses mail that was accepted. */
  readonly sync?: boolean
  /** The disk. */
  readonly files?: Files
}

/** One Maildir whose directories have been checked. Holds no descriptor: it need not be closed. */
export interface Maildir {
  /** Absolute. */
  readonly path: string
  readonly names: Names
  readonly sync: boolean
  readonly files: Files
  /** Makes the entries of `new` durable, one sync for all who wait. */
  readonly newSync: GroupSync
}

const parts = ['tmp', 'new', 'cur'] as const

let shared: Names | undefined

const namesFrom = (names: Names | NameSource | undefined): Names => {
  if (names === undefined) return (shared ??= createNames())
  return 'next' in names ? names : createNames(names)
}

const handle = (path: string, o: MaildirOptions): Maildir => {
  const files = o.files ?? systemFiles
  return {
    path,
    names: namesFrom(o.names),
    sync: o.sync ?? true,
    files,
    newSync: new GroupSync(() => syncDirectory(files, join(path, 'new'))),
  }
}

/** A link in place of a directory would take mail out of the mailbox, so links are refused, wherever they lead. */
const checkDirectory = async (path: string): Promise<void> => {
  const stat = await lstat(path).catch((error: unknown) => {
    throw codeOf(error) === 'ENOENT'
      ? new MaildirError('gone', `${path} is not there`, error)
      : asMaildirError(error, path)
  })
  if (!stat.isDirectory()) throw new MaildirError('invalid', `${path} is not a directory`)
}

/** Open a Maildir that exists. Rejects with MaildirError: `gone` when a directory is missing, `invalid` when one is something else. */
export const openMaildir = async (path: string, options: MaildirOptions = {}): Promise<Maildir> => {
  const absolute = resolve(path)
  await Promise.all([absolute, ...parts.map(part => join(absolute, part))].map(checkDirectory))
  return handle(absolute, options)
}

/** The directories whose entries a recursive mkdir changed, from `first`'s parent down to `last`'s. */
const parentsBetween = (first: string, last: string): readonly string[] => {
  const changed: string[] = []
  for (let at = last; at.length >= first.length; at = dirname(at)) changed.push(dirname(at))
  return changed
}

/**
 * Open a Maildir, making what is missing of it with mode 0700; its parents too. New directories are durable when this resolves.
 * Rejects with MaildirError, as `openMaildir` does.
 */
export const createMaildir = async (path: string, options: MaildirOptions = {}): Promise<Maildir> => {
  const absolute = resolve(path)
  const made = handle(absolute, options)
  try {
    const first = await mkdir(absolute, { recursive: true, mode: 0o700 })
    const changed = first === undefined ? [] : [...parentsBetween(first, absolute)]
    // `new` comes last: a Maildir that has it has the others.
    for (const part of ['tmp', 'cur', 'new']) {
      const isNew = await mkdir(join(absolute, part), { recursive: true, mode: 0o700 })
      if (isNew !== undefined && !changed.includes(absolute)) changed.push(absolute)
    }
    if (made.sync) for (const directory of changed) await syncDirectory(made.files, directory)
  } catch (error) {
    throw codeOf(error) === 'EEXIST'
      ? new MaildirError('invalid', `${absolute} is in the way`, error)
      : asMaildirError(error, `make ${absolute}`)
  }
  await Promise.all([absolute, ...parts.map(part => join(absolute, part))].map(checkDirectory))
  return made
}

/** Letters and digits of any script first, then also `.`, `_`, `@`, `+`, `=`, `'`, `-`: no separator, no shell, no hidden file. */
const SAFE_NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._@+='-]*$/u

/**
 * Where the mailbox of that name lives under `root`; `undefined` for a name that is not plainly one directory's: `..`, a slash, a NUL,
 * a leading dot or dash, white space, characters that a shell, a URL or another Unicode form would change, over 200 octets.
 */
export const mailboxPath = (root: string, name: string): string | undefined =>
  SAFE_NAME.test(name) && name.normalize('NFC') === name && Buffer.byteLength(name) <= 200
    ? join(resolve(root), name)
    : undefined
