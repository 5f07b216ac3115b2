import type { Content } from './arrival.ts'

const CR = 13
const LF = 10
const CR_BYTE = Uint8Array.of(CR)

/** One chunk without the CR of each CRLF, and whether it ended in a CR whose fate the next chunk decides. */
const strip = (chunk: Uint8Array, heldCr: boolean): { readonly bytes: Uint8Array; readonly heldCr: boolean } => {
  const keepHeld = heldCr && chunk[0] !== LF
  const ends = chunk[chunk.byteLength - 1] === CR
  const size = chunk.byteLength - (ends ? 1 : 0)
  const out = Buffer.allocUnsafe(size + 1)
  let at = 0
  if (keepHeld) out[at++] = CR
  let from = 0
  for (let cr = chunk.indexOf(CR); cr !== -1 && cr < size; cr = chunk.indexOf(CR, cr + 1)) {
    if (chunk[cr + 1] !== LF) continue
    out.set(chunk.subarray(from, cr), at)
    at += cr - from
    from = cr + 1
  }
  out.set(chunk.subarray(from, size), at)
  return { bytes: out.subarray(0, at + size - from), heldCr: ends }
}

async function* stripStream(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let heldCr = false
  for await (const chunk of content) {
    if (chunk.byteLength === 0) continue
    const stripped = strip(chunk, heldCr)
    heldCr = stripped.heldCr
    yield stripped.bytes
  }
  if (heldCr) yield CR_BYTE
}

const stripAll = (content: readonly Uint8Array[]): readonly Uint8Array[] => {
  const out: Uint8Array[] = []
  let heldCr = false
  for (const chunk of content) {
    if (chunk.byteLength === 0) continue
    const stripped = strip(chunk, heldCr)
    heldCr = stripped.heldCr
    out.push(stripped.bytes)
  }
  if (heldCr) out.push(CR_BYTE)
  return out
}

/** The same content with each CRLF as LF; a CR or LF that stands alone stays. */
export const withUnixLines = (content: Content): Content =>
  Array.isArray(content)
    ? stripAll(content as readonly Uint8Array[])
    : stripStream(content as AsyncIterable<Uint8Array>)
