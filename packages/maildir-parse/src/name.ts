import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

/**
 * The name of a message's file, taken apart: `base`, then `:info` when there is one. The base names the message for its whole life;
 * only the info changes.
 */
export interface MaildirName {
  /** The unique part with its fields, such as `1767225600.M1P2Q3R4.host,S=1024`. */
  readonly base: string
  /** What follows the colon: `2,` and the flags. Absent for a message nobody has looked at. */
  readonly info?: string
  /** The letters of the info, as written; empty when there are none. */
  readonly flags: string
  /** Seconds since 1970, when the name begins with them. */
  readonly time?: number
  /** Octets of the file, from `,S=`. */
  readonly size?: number
  /** Octets with every line ending as CRLF, from `,W=`. */
  readonly virtualSize?: number
}

const number = (match: RegExpExecArray | null): number | undefined => {
  const value = Number(match?.[1] ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : undefined
}

/**
 * Take a file name apart; `undefined` when it is not a message's: empty, hidden, over 255 octets, or with a slash, a NUL or a line break.
 * `formatName` gives back exactly the same name.
 */
export const parseName = (file: string): MaildirName | undefined => {
  if (file === '' || file.startsWith('.') || Buffer.byteLength(file) > 255) return undefined
  if (file.includes('/') || file.includes('\0') || file.includes('\n') || file.includes('\r')) return undefined
  const colon = file.indexOf(':')
  const base = colon === -1 ? file : file.slice(0, colon)
  if (base === '') return undefined
  const info = colon === -1 ? undefined : file.slice(colon + 1)
  const time = number(/^(\d{1,12})\./.exec(base))
  const size = number(/,S=(\d{1,16})(?:,|$)/.exec(base))
  const virtualSize = number(/,W=(\d{1,16})(?:,|$)/.exec(base))
  return {
    base,
    ...(info === undefined ? {} : { info }),
    flags: info?.startsWith('2,') === true ? info.slice(2) : '',
    ...(time === undefined ? {} : { time }),
    ...(size === undefined ? {} : { size }),
    ...(virtualSize === undefined ? {} : { virtualSize }),
  }
}

/** The file name again. */
export const formatName = (name: Pick<MaildirName, 'base' | 'info'>): string =>
  name.info === undefined ? name.base : `${name.base}:${name.info}`

/** The base that a delivered message gets: the unique part and the sizes that are known. */
export const messageBase = (unique: string, sizes: { readonly size?: number; readonly virtualSize?: number }): string =>
  unique +
  (sizes.size === undefined ? '' : `,S=${sizes.size}`) +
  (sizes.virtualSize === undefined ? '' : `,W=${sizes.virtualSize}`)

/** Where a name's parts come from; each is the operating system's when absent. */
export interface NameSource {
  readonly host?: string
  readonly pid?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly random?: (length: number) => Uint8Array
}

/** The host as a name may bear it: `/`, `:` and `,` would end the part, so they are written as the Maildir specification does. */
const hostPart = (host: string): string =>
  host
    .replaceAll('/', '\\057')
    .replaceAll(':', '\\072')
    .replaceAll(',', '\\054')
    .replaceAll(/[^\x21-\x7e]/g, '_')
    .slice(0, 120) || 'localhost'

/** Makes names that no other delivery has: see `createNames`. */
export interface Names {
  next(): string
}

/**
 * Make unique names, `seconds.M<µs>P<pid>Q<count>R<random>.host`. The random part is drawn once and has 64 bits, the count never
 * repeats: two names differ although the clock goes back, a process number comes again, or two machines share a name.
 */
export const createNames = (source: NameSource = {}): Names => {
  const now = source.now ?? Date.now
  const random = Buffer.from((source.random ?? randomBytes)(8)).toString('hex')
  const before = `P${source.pid ?? process.pid}Q`
  const after = `R${random}.${hostPart(source.host ?? hostname())}`
  let count = 0
  return {
    next: () => {
      const ms = now()
      const seconds = Math.floor(ms / 1000)
      return `${seconds}.M${Math.floor((ms - seconds * 1000) * 1000)}${before}${count++}${after}`
    },
  }
}
