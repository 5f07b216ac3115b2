import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const names = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory).sort()
  } catch {
    return [] // nothing has been delivered yet
  }
}

/** The messages of a Maildir, new ones first, by name. Empty while there is no Maildir. */
export const maildirMessages = (path: string): readonly string[] =>
  ['new', 'cur'].flatMap(sub => names(join(path, sub)).map(name => readFileSync(join(path, sub, name), 'utf8')))
