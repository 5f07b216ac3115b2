import { readFileSync } from 'node:fs'

/** One system call as strace wrote it down. */
export interface Call {
  readonly name: string
  /** As text, strings in hexadecimal. */
  args: string
  /** -1 when it failed; undefined when the process ended within it. */
  result: number | undefined
}

/** A call began, or ended; what was under way in another thread lies between the two. */
export interface Edge {
  readonly at: 'begin' | 'end'
  readonly call: Call
}

/** The calls that change a disk, make it durable, or move what these refer to. */
export const tracedCalls = `open openat openat2 creat close close_range dup dup2 dup3 lseek mmap
  write pwrite64 writev pwritev pwritev2 ftruncate truncate fallocate copy_file_range sendfile splice io_uring_setup
  rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat mkdir mkdirat rmdir
  fsync fdatasync sync_file_range`.split(/\s+/)

const resultOf = (text: string): number | undefined => {
  const found = /= (-?\d+|0x[0-9a-f]+|\?)/.exec(text)?.[1]
  return found === undefined || found === '?' ? undefined : Number(found)
}

/** Where the arguments end: nothing after the last `) =` belongs to them. */
const split = (rest: string): { readonly args: string; readonly result: number | undefined } => {
  const end = rest.lastIndexOf(') ')
  const equals = rest.indexOf('=', end)
  return { args: rest.slice(0, end), result: equals < 0 ? undefined : resultOf(rest.slice(equals)) }
}

const unfinished = ' <unfinished ...>'

/** Read what `strace -f -xx` wrote, in the order in which things happened. Throws when a string was cut short. */
export const readTrace = (path: string): readonly Edge[] => {
  const edges: Edge[] = []
  const under = new Map<string, Call>()
  for (const line of readFileSync(path, 'latin1').split('\n')) {
    const space = line.indexOf(' ')
    const thread = line.slice(0, space)
    const text = line.slice(space).trimStart()
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text)?.[0]
    if (resumed !== undefined) {
      const call = under.get(thread)
      if (call === undefined) continue
      under.delete(thread)
      const { args, result } = split(text.slice(resumed.length))
      call.args += args
      call.result = result
      edges.push({ at: 'end', call })
      continue
    }
    const name = /^(\w+)\(/.exec(text)?.[1]
    if (name === undefined) continue
    if (text.includes('"...')) throw new Error(`the trace has cut a string: ${text.slice(0, 100)}`)
    const rest = text.slice(name.length + 1)
    if (rest.endsWith(unfinished)) {
      const call: Call = { name, args: rest.slice(0, -unfinished.length), result: undefined }
      under.set(thread, call)
      edges.push({ at: 'begin', call })
      continue
    }
    const call: Call = { name, ...split(rest) }
    edges.push({ at: 'begin', call }, { at: 'end', call })
  }
  return edges
}

/** The strings among the arguments, as octets. */
export const stringsOf = (args: string): readonly Buffer[] =>
  [...args.matchAll(/"([^"]*)"/g)].map(([, hex = '']) => Buffer.from(hex.replaceAll(String.raw`\x`, ''), 'hex'))

/** Those that are neither strings nor structures, as text. */
export const plainArgs = (args: string): readonly string[] =>
  args
    .replaceAll(/\[.*\]|"[^"]*"/gs, '_')
    .split(',')
    .map(arg => arg.trim())
