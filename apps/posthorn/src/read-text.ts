import { readFileSync } from 'node:fs'
import { Failure } from './failure.ts'

/** The octets of a file, or of a descriptor, that the person at the keyboard has named. Throws Failure that says what could not be read. */
export const readNamed = (what: string, file: string | number): Buffer => {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new Failure(`${what} can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The same as text. */
export const readText = (what: string, file: string | number): string => readNamed(what, file).toString('utf8')
