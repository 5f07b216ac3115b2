import type { Random } from '@posthorn/contracts'
import { seededRandom } from '@posthorn/testkit'

/** Something that lives and dies, such as one run of a server: what was planned for it dies with it. */
export interface Life {
  alive: boolean
  /** Virtual ms until which nothing happens to it, as for a machine that is suspended. */
  frozenUntil: number
}

interface Planned {
  readonly at: number
  readonly seq: number
  call: (() => void) | undefined
  readonly life: Life
}

/** The outside world never dies. */
export const forever: Life = { alive: true, frozenUntil: 0 }

/** Wall time at the start: 2026-01-01. */
export const epoch = 1_767_225_600_000

/** What can wait for a deadline in virtual time never waits for anything real; these would be real. */
const harmless: ReadonlySet<string> = new Set(['Immediate', 'TTYWrap', 'PipeWrap', 'MessagePort', 'CloseReq'])

/**
 * Virtual time, chance and the log of one run. Events happen one by one in the order of their time; between two of them all
 * promises are carried to where they wait for another event. Time jumps from one event to the next.
 */
export class World {
  readonly seed: number
  readonly lines: string[] = []
  now = 0
  /** Events that happened. */
  events = 0
  #seq = 0
  readonly #heap: Planned[] = []
  readonly #before: ReadonlyMap<string, number>

  constructor(seed: number) {
    this.seed = seed
    this.#before = counted()
  }

  /** A stream of chance of its own, so that more of it here changes nothing there. */
  chance(name: string): Random {
    let hash = this.seed | 0
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) + 0x9e3779b9
    return seededRandom(hash >>> 0)
  }

  /** Note what happened. */
  log(who: string, what: string): void {
    this.lines.push(`${stamp(this.now)} ${who} ${what}`)
  }

  /** Plan a call after `ms`; the result cancels. */
  after(ms: number, call: () => void, life: Life = forever): () => void {
    const planned: Planned = { at: this.now + Math.max(0, ms), seq: ++this.#seq, call, life }
    this.#push(planned)
    return () => {
      planned.call = undefined
    }
  }

  /** Let time pass until `at`, or until nothing is planned. */
  async runTo(at: number): Promise<void> {
    for (;;) {
      await turn()
      const next = this.#next(at)
      if (next === undefined) break
      this.now = Math.max(this.now, next.at)
      this.events++
      if (this.events % 4096 === 0) this.assertNothingReal()
      next.call?.()
    }
    this.now = Math.max(this.now, at)
  }

  /** Carry promises on until something is ready, letting as little time pass as that takes. */
  async finish<T>(work: Promise<T>): Promise<T> {
    let done = false
    const ended = work.finally(() => {
      done = true
    })
    ended.catch(() => undefined)
    for (;;) {
      await turn()
      if (done) return ended
      const next = this.#next(Infinity)
      if (next === undefined) throw new Error('it waits for nothing that is planned')
      this.now = Math.max(this.now, next.at)
      next.call?.()
    }
  }

  /** Throws when a timer, a socket, a file or a thread of the real machine is in use. */
  assertNothingReal(): void {
    for (const [name, count] of counted())
      if (!harmless.has(name) && count > (this.#before.get(name) ?? 0))
        throw new Error(`the simulation uses a real ${name}`)
  }

  #next(until: number): Planned | undefined {
    for (let top = this.#heap[0]; top !== undefined && top.at <= until; top = this.#heap[0]) {
      this.#pop()
      if (top.call === undefined || !top.life.alive) continue
      if (top.life.frozenUntil <= top.at) return top
      this.#push({ ...top, at: top.life.frozenUntil, seq: ++this.#seq, call: () => top.call?.() })
    }
    return undefined
  }

  #push(planned: Planned): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(planned)
    while (i > 0) {
      const up = (i - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !earlier(planned, parent)) break
      heap[i] = parent
      i = up
    }
    heap[i] = planned
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (left === undefined) break
      if (right !== undefined && earlier(right, left)) child++
      const least = heap[child] ?? left
      if (!earlier(least, last)) break
      heap[i] = least
      i = child
    }
    heap[i] = last
  }
}

const earlier = (a: Planned, b: Planned): boolean => a.at < b.at || (a.at === b.at && a.seq < b.seq)

/** All promises that can go on have gone on. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

const counted = (): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

const two = (n: number): string => String(n).padStart(2, '0')
/** Days, hours, minutes and seconds since the start. */
const stamp = (ms: number): string => {
  const s = Math.floor(ms / 1000)
  const day = Math.floor(s / 86_400)
  return `${day}d${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(Math.floor(ms % 1000)).padStart(3, '0')}`
}
