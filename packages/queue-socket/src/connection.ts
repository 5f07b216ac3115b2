import type { Socket } from 'node:net'
import type { Clock, Owner, QueueId } from '@posthorn/contracts'
import { storeError } from '@posthorn/queue-base'
import { Download } from './download.ts'
import type { Frame } from './frame.ts'
import { Link } from './link.ts'
import { bodyToRead, methods } from './methods.ts'
import type { Caller, Reply, ServedQueue } from './methods.ts'
import { helloMs, plainError, version } from './protocol.ts'
import type { Ask, ClientHello, Readable, ServerHello } from './protocol.ts'
import { Upload } from './upload.ts'

/** Questions under way at once; the next are not read before one is answered. */
const mostAsks = 2048
/** Drafts, and readings, that are open at once. */
const mostStreams = 20_000
/** Dispatchers of one process. */
const mostOwners = 16
/** Ids that a client is given with the greeting. */
const firstIds = 2048

export interface ConnectionOptions {
  readonly queue: ServedQueue
  readonly clock: Clock
  /** Of this connection, never used twice. */
  readonly number: number
  readonly members: () => readonly string[]
  /** It has a name in the division, or no longer. */
  readonly joined: (member: string) => void
  readonly left: (member: string) => void
  /** It is over, and what it had leased is free. */
  readonly ended: (fault: Error | undefined) => void
}

/** One client, from its hello to the end of its leases. */
export class Connection {
  readonly #o: ConnectionOptions
  readonly #link: Link
  readonly #uploads = new Map<number, Upload>()
  readonly #downloads = new Map<number, Download>()
  readonly #owners = new Map<Owner, Owner>()
  readonly #asks = new Set<Promise<void>>()
  readonly #caller: Caller
  readonly #cancelHello: () => void
  #greeted = false
  #closed = false
  #member: string | undefined
  #wakes = false

  constructor(socket: Socket, o: ConnectionOptions) {
    this.#o = o
    this.#link = new Link(socket, {
      frame: frame => this.#take(frame),
      closed: fault => void this.#end(fault),
    })
    this.#cancelHello = o.clock.after(helloMs, () => this.#link.cut(new Error('no hello')))
    this.#caller = {
      queue: o.queue,
      ownerOf: owner => this.#ownerOf(owner),
      share: () => (this.#member === undefined ? undefined : { self: this.#member, members: o.members() }),
      upload: draft => this.#upload(draft),
      forget: draft => void this.#uploads.delete(draft),
    }
  }

  /** There may be something due. Said once, however often it is heard in one turn. */
  wake(): void {
    if (!this.#greeted || this.#wakes) return
    this.#wakes = true
    queueMicrotask(() => {
      this.#wakes = false
      this.#link.send('wake', 0)
    })
  }

  membersChanged(): void {
    if (this.#greeted) this.#link.send('members', 0, this.#o.members())
  }

  /** What was answered still arrives. */
  close(): void {
    this.#link.end()
  }

  #take(frame: Frame): void {
    if (!this.#greeted) return this.#greet(frame)
    const { kind, id, octets } = frame
    switch (kind) {
      case 'ask':
        return this.#ask(id, frame.about as Ask, octets)
      case 'begin':
        return this.#begin(id, frame.about as { readonly id: QueueId; readonly size: number })
      case 'chunk':
        // Of a draft that could not be begun, or that has failed, what was on its way is thrown away.
        return this.#uploads.get(id)?.write(octets)
      case 'read':
        return this.#read(id, frame.about as Readable)
      case 'credit':
        return this.#downloads.get(id)?.credit(frame.about as number)
      case 'cancel':
        return this.#downloads.get(id)?.cancel()
      default:
        throw new Error(`a client that says ${kind}`)
    }
  }

  #greet({ kind, about }: Frame): void {
    if (kind !== 'hello') throw new Error(`a client that begins with ${kind}`)
    const hello = about as ClientHello
    this.#cancelHello()
    if (hello.version !== version) {
      const message = `the owner of the queue speaks version ${version}, not ${String(hello.version)}`
      this.#link.send('failure', 0, { name: 'Error', message, full: false })
      return this.#link.end()
    }
    if (typeof hello.member === 'string') {
      this.#member = hello.member
      this.#o.joined(hello.member)
    }
    const ids = Array.from({ length: firstIds }, () => this.#o.queue.newId())
    this.#link.send('hello', 0, { version, ids, members: this.#o.members() } satisfies ServerHello)
    this.#greeted = true
  }

  #ask(id: number, { method, params }: Ask, octets: Uint8Array): void {
    const answering = this.#answer(id, { method, params }, octets).finally(() => {
      this.#asks.delete(answering)
      if (this.#asks.size === mostAsks - 1) this.#link.busy = false
    })
    this.#asks.add(answering)
    if (this.#asks.size === mostAsks) this.#link.busy = true
  }

  async #answer(id: number, { method, params }: Ask, octets: Uint8Array): Promise<void> {
    try {
      if (!Object.hasOwn(methods, method)) throw new RangeError(`there is no method ${method}`)
      const run = methods[method] as (caller: Caller, params: unknown, octets: Uint8Array) => Reply | Promise<Reply>
      const reply = await run(this.#caller, params, octets)
      this.#link.send('answer', id, reply.result, reply.octets)
    } catch (error) {
      this.#link.send('failure', id, plainError(error))
    }
  }

  #begin(id: number, { id: queueId, size }: { readonly id: QueueId; readonly size: number }): void {
    if (this.#uploads.has(id) || this.#uploads.size >= mostStreams) throw new Error('a draft too many')
    try {
      const upload = new Upload(this.#o.queue.begin(size, queueId), {
        credit: octets => this.#link.send('credit', id, octets),
        failed: error => this.#link.send('failure', id, plainError(error)),
      })
      this.#uploads.set(id, upload)
    } catch (error) {
      this.#link.send('failure', id, plainError(error))
    }
  }

  #upload(draft: number): Upload {
    const upload = this.#uploads.get(draft)
    if (upload === undefined) throw storeError('there is no such draft', { full: false })
    return upload
  }

  #read(id: number, what: Readable): void {
    if (this.#downloads.has(id) || this.#downloads.size >= mostStreams) throw new Error('a reading too many')
    const download = new Download()
    this.#downloads.set(id, download)
    void bodyToRead(this.#caller, what)
      .then(body => download.run(body, chunk => this.#link.send('chunk', id, undefined, [chunk])))
      .then(
        () => this.#link.send('end', id),
        (error: unknown) => this.#link.send('failure', id, plainError(error)),
      )
      .finally(() => this.#downloads.delete(id))
  }

  #ownerOf(owner: Owner): Owner {
    // A lease that is on its way while the connection goes would be free only when it lapses.
    if (this.#closed) throw storeError('the connection is closed', { full: false })
    const known = this.#owners.get(owner)
    if (known !== undefined) return known
    if (this.#owners.size >= mostOwners) throw new RangeError('more owners than a process has dispatchers')
    const own = `${owner}/${this.#o.number}` as Owner
    this.#owners.set(owner, own)
    return own
  }

  /** What is under way ends first, since it may lease yet; then everything that was leased here is free. */
  async #end(fault: Error | undefined): Promise<void> {
    this.#closed = true
    this.#cancelHello()
    if (this.#member !== undefined) this.#o.left(this.#member)
    for (const download of this.#downloads.values()) download.cancel()
    const aborted = [...this.#uploads.values()].map(upload => upload.abort())
    this.#uploads.clear()
    await Promise.allSettled([...aborted, ...this.#asks])
    await Promise.allSettled([...this.#owners.values()].map(owner => this.#o.queue.disown({ owner })))
    this.#o.ended(fault)
  }
}
