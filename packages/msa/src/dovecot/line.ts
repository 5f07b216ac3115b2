import { textOfOctets } from '@posthorn/address'

/** One line of Dovecot's authentication protocol, taken apart: a command and its fields, octets one a character. */
export interface AuthLine {
  readonly command: string
  readonly fields: readonly string[]
}

const escaped: Readonly<Record<string, string>> = { '0': '\0', '1': '\x01', t: '\t', r: '\r', n: '\n' }

/** Control characters in fields are written as ^A and a letter. */
// oxlint-disable-next-line no-control-regex -- it is one
const unescape = (field: string): string => field.replaceAll(/\x01(.)/g, (_, c: string) => escaped[c] ?? c)

/** Read a line without its newline. */
export const readAuthLine = (line: string): AuthLine => {
  const [command = '', ...fields] = line.split('\t')
  return { command, fields: fields.map(unescape) }
}

/** The value of `name=value` among fields. */
export const valueOf = (fields: readonly string[], name: string): string | undefined =>
  fields.find(field => field.startsWith(`${name}=`))?.slice(name.length + 1)

/** A user's name in a field, which is UTF-8; undefined when it is none. */
export const userIn = (fields: readonly string[]): string | undefined => {
  const octets = valueOf(fields, 'user')
  const name = octets === undefined ? undefined : textOfOctets(octets)
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return name === undefined || name === '' || name.length > 1024 || /[\0-\x1f\x7f]/.test(name) ? undefined : name
}

/** Write a line: fields that could not stand in one are an error of ours. */
export const writeAuthLine = (...fields: readonly string[]): string => {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (fields.some(field => /[\0-\x1f\x7f]/.test(field))) throw new RangeError('a field with control characters')
  return `${fields.join('\t')}\n`
}
