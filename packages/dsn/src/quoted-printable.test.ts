import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import { decodeQuotedPrintable, encodeQuotedPrintable } from './quoted-printable.ts'

test('what is encoded decodes to the same bytes, in short clean lines', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      const encoded = encodeQuotedPrintable(bytes)
      expect([...decodeQuotedPrintable(encoded)]).toEqual([...bytes])
      for (const line of Buffer.from(encoded).toString('latin1').split('\r\n'))
        expect(line).toMatch(/^[\x21-\x7e \t]{0,75}[\x21-\x7e]?$/)
    }),
  )
})
