import { opendir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { asMaildirError, codeOf } from './error.ts'
import { syncDirectory } from './files.ts'
import { decodeFolderName, encodeFolderName } from './folder-name.ts'
import { createMaildir, openMaildir, type Maildir } from './maildir.ts'

/** A folder's place in the tree, such as `['Work', '2026']`. */
export type FolderPath = readonly string[]

/** More levels than any mail program shows. */
const DEEPEST = 32

const isSegment = (segment: string): boolean =>
  segment !== '' &&
  segment.isWellFormed() &&
  segment.normalize('NFC') === segment &&
  // The dot separates levels in Maildir++; a slash or a NUL cannot stand in a file name.
  // oxlint-disable-next-line no-control-regex -- these are what is refused
  !/[./\x00-\x1f\x7f]/.test(segment)

/** The directory of a folder within its Maildir, such as `.Work.2026`; `undefined` for a path that Maildir++ cannot name. */
export const folderDirectory = (path: FolderPath): string | undefined => {
  if (path.length === 0 || path.length > DEEPEST || !path.every(isSegment)) return undefined
  const directory = path.map(segment => `.${encodeFolderName(segment)}`).join('')
  return Buffer.byteLength(directory) <= 255 ? directory : undefined
}

/** The folder that a directory of a Maildir is; `undefined` when it is none of Maildir++'s. */
export const parseFolderDirectory = (directory: string): FolderPath | undefined => {
  if (!directory.startsWith('.')) return undefined
  const path = directory.slice(1).split('.').map(decodeFolderName)
  if (!path.every(segment => segment !== undefined)) return undefined
  return folderDirectory(path) === directory ? path : undefined
}

const directoryOf = (maildir: Maildir, path: FolderPath): string => {
  const directory = folderDirectory(path)
  if (directory === undefined) throw new RangeError(`${JSON.stringify(path)} cannot be a Maildir++ folder`)
  return join(maildir.path, directory)
}

/**
 * Make a folder, or open it when it is there: a Maildir of its own beside `cur`, marked by an empty file `maildirfolder`.
 * Throws RangeError on a path that Maildir++ cannot name: empty, or with a dot, a slash or a control character in it.
 */
export const createFolder = async (maildir: Maildir, path: FolderPath): Promise<Maildir> => {
  const directory = directoryOf(maildir, path)
  const folder = await createMaildir(directory, maildir)
  try {
    const mark = await open(join(directory, 'maildirfolder'), 'wx', 0o600)
    await mark.close()
    if (maildir.sync) await syncDirectory(maildir.files, directory)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw asMaildirError(error, 'make maildirfolder')
  }
  return folder
}

/** Open a folder that exists. Rejects with MaildirError `gone` or `invalid`; throws RangeError as `createFolder` does. */
export const openFolder = async (maildir: Maildir, path: FolderPath): Promise<Maildir> =>
  openMaildir(directoryOf(maildir, path), maildir)

/** The folders below the inbox, in the order of the directory. */
export async function* listFolders(maildir: Maildir): AsyncGenerator<FolderPath> {
  try {
    for await (const entry of await opendir(maildir.path)) {
      const path = entry.isDirectory() ? parseFolderDirectory(entry.name) : undefined
      if (path !== undefined) yield path
    }
  } catch (error) {
    throw asMaildirError(error, 'list folders')
  }
}
