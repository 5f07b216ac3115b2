import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { collect, scratch } from '../test/scratch.ts'
import { decodeFolderName, encodeFolderName } from './folder-name.ts'
import { createFolder, folderDirectory, listFolders, openFolder, parseFolderDirectory } from './folder.ts'
import { createMaildir, type Maildir } from './maildir.ts'

const maildir = async (): Promise<Maildir> => createMaildir(join(await scratch(), 'm'), { sync: false })

describe('folder names', () => {
  test.each([
    ['Work', 'Work'],
    ['R&D', 'R&-D'],
    ['Entwürfe', 'Entw&APw-rfe'],
    ['台北', '&U,BTFw-'],
    ['~peter/mail/台北', '~peter/mail/&U,BTFw-'],
  ])('%j is %j in modified UTF-7 (RFC 3501 §5.1.3)', (name, encoded) => {
    expect(encodeFolderName(name)).toBe(encoded)
    expect(decodeFolderName(encoded)).toBe(name)
  })

  test('every well-formed name comes back', () => {
    const unit = fc.oneof(
      fc.constantFrom('&', '-', 'é', '台', '😀', ','),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(unit), pieces => {
        const name = pieces.join('').replaceAll('\0', '')
        expect(decodeFolderName(encodeFolderName(name))).toBe(name)
      }),
    )
  })

  test.each(['&', 'a&b', '&AGE-', '&A-', '&2AA-', '&AAA-', 'é', '&APw-&APw-'])(
    '%j is not lawful modified UTF-7',
    encoded => {
      expect(decodeFolderName(encoded)).toBeUndefined()
    },
  )

  test('a path and its directory name each other', () => {
    expect(folderDirectory(['Work', 'R&D', 'Entwürfe'])).toBe('.Work.R&-D.Entw&APw-rfe')
    expect(parseFolderDirectory('.Work.R&-D')).toEqual(['Work', 'R&D'])
  })

  test.each([
    [[]],
    [['']],
    [['a.b']],
    [['..']],
    [['a', '']],
    [['../x']],
    [['a\0']],
    [['a\n']],
    [['\ud800']],
    [['x'.repeat(300)]],
  ])('%j is no folder', path => {
    expect(folderDirectory(path)).toBeUndefined()
  })
})

describe('folders', () => {
  test('a folder is a Maildir with a mark, beside cur', async () => {
    const m = await maildir()
    const folder = await createFolder(m, ['Work', '2026'])
    expect(folder.path).toBe(join(m.path, '.Work.2026'))
    expect((await readdir(folder.path)).sort()).toEqual(['cur', 'maildirfolder', 'new', 'tmp'])
    expect((await stat(folder.path)).mode & 0o777).toBe(0o700)
    await createFolder(m, ['Work', '2026'])
    expect((await openFolder(m, ['Work', '2026'])).path).toBe(folder.path)
  })

  test('folders are listed, other files and directories are not', async () => {
    const m = await maildir()
    await createFolder(m, ['Sent'])
    await createFolder(m, ['Entwürfe'])
    await writeFile(join(m.path, '.file'), '')
    await mkdir(join(m.path, '.bad&name'))
    await mkdir(join(m.path, 'plain'))
    expect((await collect(listFolders(m))).map(path => path.join('.')).sort()).toEqual(['Entwürfe', 'Sent'])
  })

  test('row 35: a folder that would climb out is refused', async () => {
    const m = await maildir()
    await expect(createFolder(m, ['..', '..', 'etc'])).rejects.toThrow(RangeError)
    await expect(openFolder(m, ['x/../../y'])).rejects.toThrow(RangeError)
  })
})
