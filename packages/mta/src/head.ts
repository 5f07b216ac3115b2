import { bodyOf, headerEnd, joinBytes } from '@posthorn/message'
import type { Body } from '@posthorn/message'

/** Where the header block ends: its bytes with the empty line, and what follows. */
export interface Split {
  readonly head: Uint8Array
  readonly rest: Body
}

/** Split a message after its header block. Without an empty line in the first `limit` octets, those are taken for headers. */
export const splitMessage = async (body: Body, limit: number, signal?: AbortSignal): Promise<Split> => {
  if (body.bytes !== undefined) {
    const at = cut(body.bytes, headerEnd(body.bytes), limit)
    return { head: body.bytes.subarray(0, at), rest: bodyOf(body.bytes.subarray(at)) }
  }
  const chunks: Uint8Array[] = []
  let size = 0
  let head: Uint8Array = new Uint8Array()
  let end = -1
  for await (const chunk of body.open(signal)) {
    chunks.push(chunk)
    size += chunk.byteLength
    head = joinBytes(chunks)
    end = headerEnd(head)
    if (end >= 0 || size >= limit) break
  }
  const at = cut(head, end, limit)
  return { head: head.subarray(0, at), rest: skipping(body, at) }
}

const cut = (bytes: Uint8Array, end: number, limit: number): number =>
  end >= 0 && end <= limit ? end : Math.min(bytes.byteLength, limit)

const skipping = (body: Body, octets: number): Body => ({
  size: Math.max(0, body.size - octets),
  async *open(signal) {
    let skip = octets
    for await (const chunk of body.open(signal)) {
      if (skip < chunk.byteLength) yield chunk.subarray(skip)
      skip = Math.max(0, skip - chunk.byteLength)
    }
  },
})
