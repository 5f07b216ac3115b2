import type { Socket } from 'node:net'
import type { Clock, QueueId } from '@posthorn/contracts'
import { storeError } from '@posthorn/queue-base'
import { Credit } from './credit.ts'
import type { Frame } from './frame.ts'
import { IdPool } from './id-pool.ts'
import { Link } from './link.ts'
import { errorOf, helloMs, version, window } from './protocol.ts'
import type { Method, Methods, Readable, ServerHello } from './protocol.ts'
import { Reading } from './reading.ts'

/** An answer, and the octets beside it. */
export interface Answered<M extends Method> {
  readonly result: Methods[M][1]
  readonly octets: Uint8Array
}
interface Pending {
  readonly resolve: (answer: Answered<Method>) => void
  readonly reject: (error: Error) => void
}

export interface SessionOptions {
  readonly clock: Clock
  readonly member: string | undefined
  readonly wake: () => void
  readonly members: (members: readonly string[]) => void
  /** It has begun: what was waited for may be asked. */
  readonly begun: () => void
  /** It is over, before it had begun or after. */
  readonly lost: (why: Error) => void
}

/** One connection to the owner of the queue. What was asked and not answered when it is lost may have been done or not: it fails. */
export class Session {
  readonly #o: SessionOptions
  readonly #link: Link
  readonly #pending = new Map<number, Pending>()
  readonly #credits = new Map<number, Credit>()
  readonly #readings = new Map<number, Reading>()
  readonly #cancelHello: () => void
  #ids: IdPool | undefined
  #last = 0
  #over: Error | undefined
  #whenIdle: (() => void) | undefined

  constructor(socket: Socket, o: SessionOptions) {
    this.#o = o
    this.#link = new Link(socket, { frame: frame => this.#take(frame), closed: fault => this.#lose(fault) })
    this.#cancelHello = o.clock.after(helloMs, () => this.#link.cut(new Error('the owner of the queue says nothing')))
    this.#link.send('hello', 0, { version, ...(o.member !== undefined && { member: o.member }) })
  }

  /** Throws StoreError when there is none. */
  takeId(): QueueId {
    if (this.#over !== undefined) throw this.#over
    if (this.#ids === undefined) throw storeError('the owner of the queue has not said hello', { full: false })
    return this.#ids.take()
  }

  /** Rejects with the owner's error, and with StoreError when the connection is lost before the answer. */
  ask<M extends Method>(method: M, params: Methods[M][0], octets?: readonly Uint8Array[]): Promise<Answered<M>> {
    return new Promise((resolve, reject) => {
      if (this.#over !== undefined) return reject(this.#over)
      const id = this.#newId()
      // Thrown by a frame that is too long: then nothing waits for an answer.
      this.#link.send('ask', id, { method, params }, octets)
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject })
    })
  }

  /** Begin a draft that is sent in chunks; answers its number and its credit, which ends with what is wrong with it. */
  begin(id: QueueId, size: number): { readonly draft: number; readonly credit: Credit } {
    const draft = this.#newId()
    const credit = new Credit(window)
    if (this.#over === undefined) {
      this.#credits.set(draft, credit)
      this.#link.send('begin', draft, { id, size })
    } else credit.end(this.#over)
    return { draft, credit }
  }
  chunk(draft: number, octets: Uint8Array): void {
    this.#link.send('chunk', draft, undefined, [octets])
  }
  /** Nothing more is said of that draft. */
  forget(draft: number): void {
    this.#credits.delete(draft)
  }

  /** Content from the owner; asked for when it is first read. */
  async *read(what: Readable, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const id = this.#newId()
    const reading = new Reading({
      credit: octets => this.#link.send('credit', id, octets),
      cancel: () => {
        this.#readings.delete(id)
        this.#link.send('cancel', id)
      },
    })
    if (this.#over === undefined) {
      this.#readings.set(id, reading)
      this.#link.send('read', id, what)
    } else reading.end(this.#over)
    yield* reading.read(signal)
  }

  /** Resolves when everything that was asked is answered; then the connection ends. */
  async close(): Promise<void> {
    if (this.#pending.size > 0) await new Promise<void>(resolve => (this.#whenIdle = resolve))
    this.#link.end()
  }
  cut(): void {
    this.#link.cut()
  }

  #newId(): number {
    do this.#last = (this.#last % 0xffffffff) + 1
    while (this.#pending.has(this.#last) || this.#credits.has(this.#last) || this.#readings.has(this.#last))
    return this.#last
  }

  #take({ kind, id, about, octets }: Frame): void {
    if (this.#ids === undefined && kind !== 'hello' && kind !== 'failure')
      throw new Error(`an owner that begins with ${kind}`)
    switch (kind) {
      case 'hello':
        return this.#greeted(about as ServerHello)
      case 'answer':
        return this.#settled(id)?.resolve({ result: about as Methods[Method][1], octets })
      case 'failure':
        return this.#failed(id, errorOf(about))
      case 'credit':
        return this.#credits.get(id)?.add(about as number)
      case 'chunk':
        return this.#readings.get(id)?.chunk(octets)
      case 'end':
        this.#readings.get(id)?.end()
        return void this.#readings.delete(id)
      case 'wake':
        return this.#o.wake()
      case 'members':
        return this.#o.members(about as readonly string[])
      default:
        throw new Error(`an owner that says ${kind}`)
    }
  }

  #greeted({ version: theirs, ids, members }: ServerHello): void {
    this.#cancelHello()
    if (theirs !== version) throw new Error(`the owner of the queue speaks version ${theirs}, and we speak ${version}`)
    this.#ids = new IdPool(ids, {
      clock: this.#o.clock,
      fetch: async count => (await this.ask('ids', { count })).result,
    })
    this.#o.members(members)
    this.#o.begun()
  }

  #settled(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#whenIdle?.()
    return pending
  }

  #failed(id: number, error: Error): void {
    // Instead of a hello: we are not wanted.
    if (id === 0) return this.#link.cut(error)
    this.#settled(id)?.reject(error)
    this.#credits.get(id)?.end(error)
    this.#readings.get(id)?.end(error)
    this.#readings.delete(id)
  }

  #lose(fault: Error | undefined): void {
    this.#cancelHello()
    const why = fault === undefined ? '' : `: ${fault.message}`
    const over = storeError(`the connection to the owner of the queue is lost${why}`, { full: false, cause: fault })
    this.#over = over
    for (const { reject } of this.#pending.values()) reject(over)
    for (const credit of this.#credits.values()) credit.end(over)
    for (const reading of this.#readings.values()) reading.end(over)
    this.#pending.clear()
    this.#credits.clear()
    this.#readings.clear()
    this.#whenIdle?.()
    this.#o.lost(over)
  }
}
