import type { Call, Edge } from './trace.ts'
import { plainArgs, stringsOf } from './trace.ts'

/** A change that no sync covers yet. */
export interface DataChange {
  readonly id: number
  readonly kind: 'write' | 'size'
  readonly at: number
  /** Of a write. */
  readonly bytes: Uint8Array
  ended: boolean
}
export interface EntryChange {
  readonly id: number
  readonly parent: Directory
  readonly name: string
  /** Undefined: the name is taken away. */
  readonly node: Node | undefined
  /** The other name of a rename. A new name may stand beside the old one, but never is neither there. */
  readonly after: EntryChange | undefined
  ended: boolean
}

/** Octets that grow in place. */
class Content {
  #bytes = new Uint8Array(4096)
  #length = 0

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  copy(): Content {
    const copy = new Content()
    copy.write(0, this.view())
    return copy
  }

  write(at: number, bytes: Uint8Array): void {
    this.resize(Math.max(this.#length, at + bytes.byteLength))
    this.#bytes.set(bytes, at)
  }

  resize(length: number): void {
    if (length > this.#bytes.byteLength) {
      const grown = new Uint8Array(2 * length)
      grown.set(this.view())
      this.#bytes = grown
    } else if (length < this.#length) this.#bytes.fill(0, length, this.#length)
    this.#length = length
  }

  apply(change: DataChange, parts: ReturnType<Survival['data']>): void {
    if (parts === 'none') return
    if (change.kind === 'size') this.resize(change.at)
    else if (parts === 'all') this.write(change.at, change.bytes)
    else for (const [from, to] of parts) this.write(change.at + from, change.bytes.subarray(from, to))
  }
}

export class File {
  readonly kind = 'file' as const
  readonly durable = new Content()
  pending: DataChange[] = []
  /** As the processes see it. */
  size = 0
}
export class Directory {
  readonly kind = 'directory' as const
  durable = new Map<string, Node>()
  pending: EntryChange[] = []
  /** As the processes see it. */
  current = new Map<string, Node>()
}
export type Node = File | Directory

/** What a power cut leaves of the changes that no sync covered. */
export interface Survival {
  /** The parts of a write that reached the disk; a change of size counts as whole or not at all. */
  data(change: DataChange, file: File): readonly (readonly [from: number, to: number])[] | 'all' | 'none'
  entry(change: EntryChange): boolean
}

/** Content of files by path below the root; directories end with a slash and have none. */
export type Image = ReadonlyMap<string, Uint8Array>

interface OpenFile {
  readonly node: Node
  readonly path: string
  position: number
  readonly append: boolean
}

const writing: ReadonlySet<string> = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'ftruncate'])
const changing: ReadonlySet<string> = new Set(['mkdir', 'unlink', 'rename'])
const pathOf = (call: Call): string => String(stringsOf(call.args)[0] ?? '')

/** What of the tree is watched, as the process saw it: everything below `root`. Which syncs count, for the proof that they matter. */
export interface DiskOptions {
  readonly root: string
  readonly ignoreSync?: RegExp
}

/**
 * A file system that keeps only what it was told to sync: the content of a file by fsync or fdatasync of it, its name by an fsync of
 * the directory, each without the other. Fed with a trace edge by edge.
 */
export class Disk {
  readonly #o: DiskOptions
  readonly root = new Directory()
  /** Grows with every sync that made something durable. */
  version = 0
  /** Changes so far. */
  changes = 0
  #open = new Map<number, OpenFile>()
  /** What each sync under way will have made durable when it ends. */
  readonly #syncing = new Map<Call, { readonly node: Node; readonly ids: ReadonlySet<number> }>()
  readonly #under = new Map<Call, (DataChange | EntryChange)[]>()

  constructor(o: DiskOptions) {
    this.#o = o
  }

  /** Another process begins: descriptors are its own. */
  newProcess(): void {
    this.#open = new Map()
  }

  /** What feeding this edge would do: change the disk, or make changes durable. */
  effect({ at, call }: Edge): 'change' | 'sync' | undefined {
    if (at === 'end') {
      const sync = this.#syncing.get(call)
      if (sync !== undefined) return call.result === 0 && sync.ids.size > 0 ? 'sync' : undefined
      return call.name === 'openat' && call.args.includes('O_CREAT') && this.#inside(pathOf(call)) !== undefined
        ? 'change'
        : undefined
    }
    if (call.result === -1) return undefined
    if (changing.has(call.name)) return this.#inside(pathOf(call)) === undefined ? undefined : 'change'
    return writing.has(call.name) && this.#open.has(Number.parseInt(call.args, 10)) ? 'change' : undefined
  }

  feed({ at, call }: Edge): void {
    if (at === 'begin') {
      // A descriptor may be given out again before the call that closed it has returned.
      if (call.result !== -1 && call.name !== 'openat') this.#begin(call)
      return
    }
    if (call.name === 'openat' && (call.result ?? -1) >= 0) this.#opened(call)
    this.#end(call)
  }

  #inside(path: string): readonly string[] | undefined {
    if (path === this.#o.root) return []
    if (!path.startsWith(`${this.#o.root}/`)) return undefined
    return path
      .slice(this.#o.root.length + 1)
      .split('/')
      .filter(part => part !== '')
  }

  #find(
    path: string,
  ): { readonly parent: Directory | undefined; readonly name: string; readonly node: Node | undefined } | undefined {
    const parts = this.#inside(path)
    if (parts === undefined) return undefined
    let parent: Directory | undefined
    let node: Node | undefined = this.root
    let name = ''
    for (const part of parts) {
      if (node?.kind !== 'directory') throw new Error(`the trace has no directory for ${path}`)
      parent = node
      name = part
      node = node.current.get(part)
    }
    return { parent, name, node }
  }

  #note(call: Call, change: DataChange | EntryChange): void {
    const changes = this.#under.get(call)
    if (changes === undefined) this.#under.set(call, [change])
    else changes.push(change)
  }

  #entry(
    call: Call,
    place: { readonly parent: Directory; readonly name: string },
    node: Node | undefined,
    after?: EntryChange,
  ): EntryChange {
    const change: EntryChange = {
      id: ++this.changes,
      parent: place.parent,
      name: place.name,
      node,
      after,
      ended: false,
    }
    place.parent.pending.push(change)
    if (node === undefined) place.parent.current.delete(place.name)
    else place.parent.current.set(place.name, node)
    this.#note(call, change)
    return change
  }

  #data(call: Call, file: File, kind: DataChange['kind'], at: number, bytes: Uint8Array): void {
    const change: DataChange = { id: ++this.changes, kind, at, bytes, ended: false }
    file.pending.push(change)
    file.size = kind === 'size' ? at : Math.max(file.size, at + bytes.byteLength)
    this.#note(call, change)
  }

  #opened(call: Call): void {
    const [path = Buffer.alloc(0)] = stringsOf(call.args)
    const [base, , flags = ''] = plainArgs(call.args)
    const text = path.toString()
    if (base !== 'AT_FDCWD' && !text.startsWith('/')) return
    const place = this.#find(text)
    if (place === undefined) return
    let { node } = place
    if (node === undefined) {
      if (!flags.includes('O_CREAT') || place.parent === undefined)
        throw new Error(`the trace opens ${text}, which is not there`)
      node = new File()
      this.#entry(call, { parent: place.parent, name: place.name }, node)
    } else if (flags.includes('O_TRUNC') && node.kind === 'file' && node.size > 0)
      this.#data(call, node, 'size', 0, new Uint8Array())
    this.#open.set(call.result ?? -1, { node, path: text, position: 0, append: flags.includes('O_APPEND') })
  }

  #begin(call: Call): void {
    const args = plainArgs(call.args)
    const open = this.#open.get(Number(args[0]))
    switch (call.name) {
      case 'close':
        this.#open.delete(Number(args[0]))
        return
      case 'lseek':
        if (open !== undefined && call.result !== undefined) open.position = call.result
        return
      case 'mmap': {
        const mapped = this.#open.get(Number(args[4]))
        if (mapped === undefined || mapped.path.endsWith('-shm') || !args[3]?.includes('MAP_SHARED')) return
        if (args[2]?.includes('PROT_WRITE'))
          throw new Error(`${mapped.path} is written through memory, which no trace shows`)
        return
      }
      case 'write':
      case 'writev':
      case 'pwrite64':
      case 'pwritev':
        if (open?.node.kind === 'file') this.#write(call, open, open.node, args)
        return
      case 'ftruncate':
        if (open?.node.kind === 'file') this.#data(call, open.node, 'size', Number(args[1]), new Uint8Array())
        return
      case 'fsync':
      case 'fdatasync':
        if (open !== undefined) this.#sync(call, open)
        return
      case 'mkdir': {
        const place = this.#find(String(stringsOf(call.args)[0]))
        if (place?.parent !== undefined) this.#entry(call, { parent: place.parent, name: place.name }, new Directory())
        return
      }
      case 'unlink': {
        const place = this.#find(String(stringsOf(call.args)[0]))
        if (place?.parent !== undefined) this.#entry(call, { parent: place.parent, name: place.name }, undefined)
        return
      }
      case 'rename': {
        const [from, to] = stringsOf(call.args).map(path => this.#find(String(path)))
        if (from?.parent === undefined || to?.parent === undefined || from.node === undefined) return
        const added = this.#entry(call, { parent: to.parent, name: to.name }, from.node)
        this.#entry(call, { parent: from.parent, name: from.name }, undefined, added)
        return
      }
      case 'sync_file_range':
      case 'io_uring_setup':
      case 'splice':
      case 'sendfile':
        return
      default:
        if (this.#touches(call, open))
          throw new Error(`the model does not know ${call.name} of ${open?.path ?? call.args}`)
    }
  }

  #touches(call: Call, open: OpenFile | undefined): boolean {
    return open !== undefined || stringsOf(call.args).some(path => this.#inside(String(path)) !== undefined)
  }

  #write(call: Call, open: OpenFile, file: File, args: readonly string[]): void {
    const given = Buffer.concat(stringsOf(call.args))
    const bytes = call.result === undefined ? given : given.subarray(0, call.result)
    const placed = call.name.startsWith('p')
    const at = placed ? Number(args.at(-1)) : open.append ? file.size : open.position
    if (!placed) open.position = at + bytes.byteLength
    if (bytes.byteLength > 0) this.#data(call, file, 'write', at, bytes)
  }

  #sync(call: Call, { node, path }: OpenFile): void {
    if (this.#o.ignoreSync?.test(path.slice(this.#o.root.length) + (node.kind === 'directory' ? '/' : '')) === true)
      return
    // What began before and has not ended may or may not be covered, and is not.
    const ids = new Set(node.pending.filter(change => change.ended).map(change => change.id))
    this.#syncing.set(call, { node, ids })
  }

  #end(call: Call): void {
    for (const change of this.#under.get(call) ?? []) change.ended = true
    this.#under.delete(call)
    const sync = this.#syncing.get(call)
    this.#syncing.delete(call)
    if (sync === undefined || call.result !== 0) return
    const { node, ids } = sync
    if (ids.size === 0) return
    this.version++
    if (node.kind === 'file') {
      for (const change of node.pending) if (ids.has(change.id)) node.durable.apply(change, 'all')
      node.pending = node.pending.filter(change => !ids.has(change.id))
      return
    }
    for (const change of node.pending) {
      if (!ids.has(change.id)) continue
      if (change.node === undefined) node.durable.delete(change.name)
      else node.durable.set(change.name, change.node)
    }
    node.pending = node.pending.filter(change => !ids.has(change.id))
  }

  /** The tree as a power cut leaves it now. */
  image(survival: Survival): Image {
    const image = new Map<string, Uint8Array>()
    const decided = new Map<EntryChange, boolean>()
    const survives = (change: EntryChange): boolean => {
      const known = decided.get(change)
      if (known !== undefined) return known
      const pendingStill = change.after?.parent.pending.includes(change.after) === true
      const yes = survival.entry(change) && (change.after === undefined || !pendingStill || survives(change.after))
      decided.set(change, yes)
      return yes
    }
    const walk = (directory: Directory, path: string): void => {
      const entries = new Map(directory.durable)
      for (const change of directory.pending) {
        if (!survives(change)) continue
        if (change.node === undefined) entries.delete(change.name)
        else entries.set(change.name, change.node)
      }
      for (const [name, node] of entries) {
        if (name.endsWith('-shm')) continue
        if (node.kind === 'directory') {
          image.set(`${path}${name}/`, new Uint8Array())
          walk(node, `${path}${name}/`)
        } else image.set(path + name, contentOf(node, survival))
      }
    }
    walk(this.root, '')
    return image
  }
}

const contentOf = (file: File, survival: Survival): Uint8Array => {
  if (file.pending.length === 0) return file.durable.view()
  const content = file.durable.copy()
  for (const change of file.pending) content.apply(change, survival.data(change, file))
  return content.view()
}
