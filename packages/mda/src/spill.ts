import { constants } from 'node:fs'
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { bodyOf, joinBytes, type Body } from '@posthorn/message'
import type { Awaitable } from '@posthorn/contracts'

const CHUNK = 64 * 1024

export interface SpillOptions {
  /** Where the file is made; the directory too, when it is missing. */
  readonly directory: string
  /** Unique among files in use. */
  readonly name: string
  /** In octets: what is larger goes to the file. */
  readonly memory: number
}

const writeAll = async (file: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.byteLength;) at += (await file.write(bytes, at)).bytesWritten
}

/**
 * What is being received: in memory while small, then in a file that has no name any more, so that neither an abort nor a crash leaves
 * anything behind. Never rejects: what went wrong is told by `failure`.
 */
export class Spill {
  readonly #o: SpillOptions
  #chunks: Uint8Array[] = []
  #size = 0
  #file: Promise<FileHandle> | undefined
  #writing: Promise<void> = Promise.resolve()
  #failure: Error | undefined

  constructor(o: SpillOptions) {
    this.#o = o
  }

  /** Octets so far. */
  get size(): number {
    return this.#size
  }

  /** Why the content is not whole, if so; final after `end`. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** The chunk is kept. A promise means: wait, the disk is behind. */
  write(chunk: Uint8Array): void | Promise<void> {
    this.#size += chunk.byteLength
    if (this.#failure !== undefined) return undefined
    this.#chunks.push(chunk)
    if (this.#size <= this.#o.memory) return undefined
    const chunks = this.#chunks
    this.#chunks = []
    this.#writing = this.#writing.then(() => this.#append(chunks))
    return this.#writing
  }

  /** All of it. Empty when it failed. */
  end(): Awaitable<Body> {
    if (this.#file === undefined) return bodyOf(joinBytes(this.#chunks))
    return this.#writing.then(() => this.#readable())
  }

  /** Let go of memory and file. Bodies made by `end` can't be read any more. */
  async close(): Promise<void> {
    this.#chunks = []
    this.#failure ??= new Error('closed')
    await this.#writing
    await this.#file?.then(
      file => file.close(),
      () => {},
    )
  }

  async #append(chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) return
    try {
      this.#file ??= this.#create()
      const file = await this.#file
      await writeAll(file, joinBytes(chunks))
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error))
    }
  }

  async #create(): Promise<FileHandle> {
    await mkdir(this.#o.directory, { recursive: true, mode: 0o700 })
    const path = join(this.#o.directory, this.#o.name)
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants
    const file = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    await unlink(path)
    return file
  }

  async #readable(): Promise<Body> {
    const file = await this.#file?.catch(() => undefined)
    if (file === undefined || this.#failure !== undefined) return bodyOf(new Uint8Array(0))
    return { size: this.#size, open: signal => readFrom(file, signal) }
  }
}

async function* readFrom(file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let at = 0; ;) {
    signal?.throwIfAborted()
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
