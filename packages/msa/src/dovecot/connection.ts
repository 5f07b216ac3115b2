import type { Random, Wire, WireReader } from '@posthorn/contracts'
import { readAuthLine, writeAuthLine, type AuthLine } from './line.ts'

/** More than any answer has; a peer that says more is none that we know. */
const LONGEST_LINE = 65_536
const MOST_MECHANISMS = 100

/** What Dovecot says of itself. */
interface Greeting {
  version: string | undefined
  readonly mechanisms: { readonly name: string; readonly flags: readonly string[] }[]
}

interface Waiter {
  resolve(line: AuthLine): void
  reject(error: Error): void
}

/**
 * One connection to Dovecot's authentication service, after its greeting: requests have numbers, and any number of them run at the same
 * time. What it does not answer before the connection ends, fails.
 */
export class DovecotConnection implements WireReader {
  readonly greeting: Greeting = { version: undefined, mechanisms: [] }
  readonly #wire: Wire
  readonly #ended: () => void
  readonly #waiting = new Map<number, Waiter>()
  #text = ''
  #lastId = 0
  #greeted: Waiter | undefined
  #error: Error | undefined

  /** `ended` is called once, when it is of no use any more. */
  constructor(wire: Wire, ended: () => void) {
    this.#wire = wire
    this.#ended = ended
  }
  /** Say who we are, and wait for the end of the greeting. Rejects when it is not Dovecot's, or the signal aborts. */
  async open(random: Random, signal: AbortSignal): Promise<void> {
    const greeted = new Promise<AuthLine>((resolve, reject) => {
      this.#greeted = { resolve, reject }
    })
    const late = (): void => this.#fail(signal.reason as Error)
    signal.addEventListener('abort', late, { once: true })
    this.#wire.read(this)
    // Dovecot keeps clients apart by this number, and one process may have several connections.
    this.#wire.write(`VERSION\t1\t2\n${writeAuthLine('CPID', `${random.int(2 ** 31 - 2) + 1}`)}`)
    try {
      await greeted
    } finally {
      signal.removeEventListener('abort', late)
    }
  }

  newId(): number {
    this.#lastId = this.#lastId === 2 ** 31 - 1 ? 1 : this.#lastId + 1
    return this.#lastId
  }
  /** Ask, and wait for the answer to this number. Rejects when the connection ends, or with the signal's reason. */
  ask(id: number, line: string, signal: AbortSignal): Promise<AuthLine> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error)
      if (signal.aborted) return reject(signal.reason as Error)
      const settled = (): void => {
        this.#waiting.delete(id)
        signal.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        settled()
        this.cancel(id)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.set(id, {
        resolve: answer => {
          settled()
          resolve(answer)
        },
        reject: error => {
          settled()
          reject(error)
        },
      })
      this.#wire.write(line)
    })
  }
  /** No answer is waited for. */
  cancel(id: number): void {
    if (this.#error === undefined) this.#wire.write(writeAuthLine('CANCEL', `${id}`))
  }
  close(): void {
    this.#fail(new Error('closed by us'))
  }

  data(chunk: Uint8Array): void {
    if (this.#error !== undefined) return
    this.#text += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1')
    for (let end = this.#text.indexOf('\n'); end !== -1; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 1)
      this.#take(readAuthLine(line))
      if (this.#error !== undefined) return
    }
    if (this.#text.length > LONGEST_LINE) this.#fail(new Error('a line that is too long'))
  }
  end(): void {
    this.#fail(new Error('it closed the connection'))
  }
  closed(error?: Error): void {
    this.#fail(error ?? new Error('it closed the connection'))
  }

  #take({ command, fields }: AuthLine): void {
    if (command === 'OK' || command === 'FAIL' || command === 'CONT') {
      // An answer to what was cancelled finds nobody.
      this.#waiting.get(Number(fields[0]))?.resolve({ command, fields: fields.slice(1) })
    } else if (command === 'VERSION') {
      this.greeting.version = fields.join('.')
      if (fields[0] !== '1') this.#fail(new Error(`it speaks version ${this.greeting.version}; we speak 1`))
    } else if (command === 'MECH') {
      const [name = '', ...flags] = fields
      if (this.greeting.mechanisms.length < MOST_MECHANISMS) this.greeting.mechanisms.push({ name, flags })
    } else if (command === 'DONE') {
      if (this.greeting.version === undefined) return this.#fail(new Error('it did not say its version'))
      this.#greeted?.resolve({ command, fields })
      this.#greeted = undefined
    }
    // SPID, CUID and COOKIE are for who logs users in to its other services.
  }
  #fail(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#wire.abort()
    this.#greeted?.reject(error)
    for (const waiter of this.#waiting.values()) waiter.reject(error)
    this.#ended()
  }
}
