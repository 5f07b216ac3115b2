import type { Chance } from './chance.ts'

/** Larger inputs find nothing that smaller ones do not, and take longer. */
const LARGEST = 65_536

type Change = (bytes: Buffer, chance: Chance, tokens: readonly string[]) => Buffer

const span = (bytes: Buffer, chance: Chance): readonly [number, number] => {
  const from = chance.below(bytes.length + 1)
  return [from, Math.min(bytes.length, from + chance.below(chance.pick([2, 16, 256])))]
}
const replaced = (bytes: Buffer, [from, to]: readonly [number, number], by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)])

const inserted = (bytes: Buffer, chance: Chance, what: Uint8Array): Buffer => {
  const at = chance.below(bytes.length + 1)
  return replaced(bytes, [at, at], what)
}

const odd = [0, 9, 10, 13, 32, 34, 40, 46, 58, 60, 61, 62, 64, 91, 92, 127, 128, 192, 255]

const changes: readonly Change[] = [
  (b, c) => replaced(b, span(b, c), Buffer.of()),
  (b, c) => inserted(b, c, Buffer.of(c.pick(odd))),
  (b, c, tokens) => inserted(b, c, Buffer.from(c.pick(tokens), 'latin1')),
  (b, c, tokens) => replaced(b, span(b, c), Buffer.from(c.pick(tokens), 'latin1')),
  (b, c) => {
    const [from, to] = span(b, c)
    return replaced(b, [to, to], b.subarray(from, to))
  },
  (b, c) => {
    const [from, to] = span(b, c)
    const times = 1 + c.below(300)
    return replaced(b, [to, to], Buffer.concat(Array.from({ length: times }, () => b.subarray(from, to))))
  },
  (b, c) => {
    const copy = Buffer.from(b)
    for (let i = 0; i <= c.below(4) && copy.length > 0; i++) copy[c.below(copy.length)] = c.below(256)
    return copy
  },
  (b, c) => b.subarray(0, c.below(b.length + 1)),
  (b, c) => {
    const [at, copy] = [c.below(b.length || 1), Buffer.from(b)]
    if (at + 2 <= copy.length) copy.writeUInt16BE(c.pick([0, 1, 0xff, 0x100, 0x7fff, 0xffff]), at)
    return copy
  },
]

/** A few changes of an input, or the joint of two. */
export const mutated = (corpus: readonly Uint8Array[], chance: Chance, tokens: readonly string[]): Uint8Array => {
  let bytes = Buffer.from(chance.pick(corpus))
  if (chance.below(8) === 0) {
    const other = Buffer.from(chance.pick(corpus))
    bytes = Buffer.concat([
      bytes.subarray(0, chance.below(bytes.length + 1)),
      other.subarray(chance.below(other.length + 1)),
    ])
  }
  for (let i = 0; i <= chance.below(6); i++) bytes = Buffer.from(chance.pick(changes)(bytes, chance, tokens))
  return bytes.subarray(0, LARGEST)
}
