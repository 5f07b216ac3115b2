import type { Readable } from 'node:stream'

/** Where lines go. */
export interface LineStream {
  write(text: string): boolean
  once(event: 'drain', call: () => void): unknown
}

/** Characters of a line that does not end; so many are let out with an end of ours. */
const longestLine = 1 << 20

/** Pass on what a process writes, in whole lines only, so that those of several do not mix; at the pace of who takes them. */
export const passLines = (from: Readable, to: LineStream): void => {
  let rest = ''
  const write = (text: string): void => {
    if (to.write(text)) return
    from.pause()
    to.once('drain', () => from.resume())
  }
  from.setEncoding('utf8')
  from.on('data', (text: string) => {
    const all = rest + text
    const end = all.lastIndexOf('\n') + 1
    rest = all.slice(end)
    if (end > 0) write(all.slice(0, end))
    if (rest.length <= longestLine) return
    write(`${rest}\n`)
    rest = ''
  })
  from.on('end', () => {
    // It was killed within a line.
    if (rest !== '') write(`${rest}\n`)
  })
  from.on('error', () => undefined)
}
