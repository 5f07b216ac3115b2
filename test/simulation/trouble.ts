import type { Random } from '@posthorn/contracts'

/** How likely what goes wrong is, each time it could. All zero once the faults are healed. */
export interface Trouble {
  /** Of a piece on a wire: the connection breaks, and what is under way is lost. */
  cut: number
  /** Of the 250 after the final dot: it is lost with its connection. */
  lostReply: number
  /** Of a dial: nobody answers. */
  unreachable: number
  /** Of a look-up: `servfail` or `timeout`. */
  dns: number
  /** Of a write to a store: it fails before, or after it was done, or says that it is full. */
  storeFails: number
  storeForgets: number
  storeFull: number
  /** Of a step that a crash could come between: it comes, or, at a delivery, the machine stands still for a while. */
  crash: number
  freeze: number
  /** Of a delivery into a mailbox: the disk says no. */
  mailbox: number
  /** Of an answer of a peer elsewhere: 4xx, 5xx, nonsense, hanging up, taking minutes. */
  peerDefers: number
  peerRefuses: number
  peerRaves: number
  peerHangsUp: number
  peerDawdles: number
}

/** What happens to the machines of one run now and then. Counts for the whole run. */
export interface Plan {
  readonly trouble: Trouble
  readonly crashes: number
  readonly restarts: number
  readonly partitions: number
  readonly freezes: number
  readonly jumps: number
  readonly fullDisks: number
  readonly operator: number
  readonly messages: number
  /** While mail comes in and things go wrong. */
  readonly periodMs: number
  readonly expireMs: number
  readonly mostMs: number
}

const none: Trouble = {
  cut: 0,
  lostReply: 0,
  unreachable: 0,
  dns: 0,
  storeFails: 0,
  storeForgets: 0,
  storeFull: 0,
  crash: 0,
  freeze: 0,
  mailbox: 0,
  peerDefers: 0,
  peerRefuses: 0,
  peerRaves: 0,
  peerHangsUp: 0,
  peerDawdles: 0,
}

const hour = 3_600_000

/** Make everything well, in place: whoever looks at it looks at the same object. */
export const heal = (trouble: Trouble): void => void Object.assign(trouble, none)

/** What goes wrong in the run of a seed: a tenth of the runs nothing but peers, some a little of all, some a lot of a few things. */
export const planOf = (random: Random): Plan => {
  const kind = random.int(10)
  const scale = kind === 0 ? 0 : kind < 6 ? 1 : 3
  const some = (most: number): number => (kind < 6 || random.next() < 0.6 ? random.next() * most * scale : 0)
  const count = (most: number): number => (scale === 0 ? 0 : random.int(most * scale + 1))
  const long = random.int(200) === 0
  return {
    trouble: {
      cut: some(0.004),
      lostReply: some(0.05),
      unreachable: some(0.04),
      dns: some(0.08),
      storeFails: some(0.02),
      storeForgets: some(0.02),
      storeFull: some(0.02),
      crash: some(0.006),
      freeze: some(0.03),
      mailbox: some(0.08),
      peerDefers: random.next() * 0.15,
      peerRefuses: random.next() * 0.03,
      peerRaves: random.next() * 0.01,
      peerHangsUp: random.next() * 0.03,
      peerDawdles: random.next() * 0.05,
    },
    crashes: count(3),
    restarts: count(1),
    partitions: count(2),
    freezes: count(1),
    jumps: count(1),
    fullDisks: count(1),
    operator: count(2),
    messages: 12 + random.int(20),
    periodMs: long ? 7 * 24 * hour : hour + random.int(2 * hour),
    expireMs: long ? 5 * 24 * hour : ([hour, 2 * hour, 4 * hour][random.int(3)] ?? hour),
    mostMs: long ? 4 * hour : hour / 2,
  }
}

/** Whether it happens this time. Draws nothing where nothing can happen, so that healing is quiet. */
export const happens = (random: Random, probability: number): boolean => probability > 0 && random.next() < probability
