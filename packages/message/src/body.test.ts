import { describe, expect, test } from 'vitest'
import { bodyOf, concatBody, joinBytes, piecesOf, readAll, utf8 } from './index.ts'
import type { Body } from './index.ts'

const streamed = (...chunks: string[]): Body => ({
  size: chunks.join('').length,
  async *open() {
    for (const chunk of chunks) yield utf8(chunk)
  },
})
const text = async (body: Body): Promise<string> => Buffer.from(await readAll(body, 1000)).toString()

describe('a body', () => {
  test('can be read again', async () => {
    const body = concatBody(utf8('head '), streamed('a', 'b'))
    expect(body.size).toBe(7)
    expect(body.bytes).toBeUndefined()
    expect(await text(body)).toBe('head ab')
    expect(await text(body)).toBe('head ab')
  })

  test('is in memory as a whole when both parts are', async () => {
    const body = concatBody(utf8('head '), bodyOf(utf8('tail')))
    expect(Buffer.from(body.bytes ?? []).toString()).toBe('head tail')
    expect(body.bytes).toBe(body.bytes)
    const chunks: Uint8Array[] = []
    for await (const chunk of body.open()) chunks.push(chunk)
    expect(Buffer.from(joinBytes(chunks)).toString()).toBe('head tail')
  })

  test('gives its pieces without joining them, when all of it is in memory', () => {
    const [head, tail] = [utf8('head '), utf8('tail')]
    expect(piecesOf(concatBody(head, bodyOf(tail)))).toEqual([head, tail])
    expect(piecesOf(bodyOf(tail))?.[0]).toBe(tail)
    expect(piecesOf(concatBody(head, streamed('tail')))).toBeUndefined()
  })

  test('without a head is itself', () => {
    const body = streamed('a')
    expect(concatBody(new Uint8Array(0), body)).toBe(body)
  })

  test('over the limit is not read, whatever it says of its size', async () => {
    await expect(readAll(bodyOf(utf8('12345')), 4)).rejects.toThrow(RangeError)
    const liar: Body = { ...streamed('12', '345'), size: 1 }
    await expect(readAll(liar, 4)).rejects.toThrow(RangeError)
    expect(Buffer.from(await readAll(liar, 5)).toString()).toBe('12345')
  })
})
