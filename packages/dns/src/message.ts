import { AUTHENTIC_DATA, RECURSION_DESIRED, encode } from 'dns-packet'
import { steering, typeNumber } from './record.ts'
import type { Rdata, RecordType } from './record.ts'
import { readName } from './wire-name.ts'

/** One record with its data unread. */
interface ResourceRecord extends Rdata {
  /** Lower case. */
  readonly name: string
  readonly type: number
  /** In seconds; RFC 2181 §8: the top bit set means 0. */
  readonly ttl: number
}

/** A message of the DNS as far as it could be read. */
export interface Message {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  /** The AD bit. */
  readonly authentic: boolean
  readonly rcode: number
  /** The first question, in the case it was sent; undefined when there is not exactly one. */
  readonly question: { readonly name: string; readonly type: number; readonly inClass: boolean } | undefined
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
  /** Whether all that the header announced was there. */
  readonly whole: boolean
  readonly size: number
}

/** RFC 9715 §3.2 and the DNS flag day 2020: what passes everywhere without fragments. */
const udpPayloadSize = 1232
const headerSize = 12
const classIn = 1

/** A question on the wire: recursion desired, AD to hear whether it was validated (RFC 6840 §5.7), EDNS(0). */
export const encodeQuery = (id: number, name: string, type: RecordType): Uint8Array =>
  encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED | AUTHENTIC_DATA,
    questions: [{ type, name }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })

interface Section {
  readonly records: readonly ResourceRecord[]
  readonly end: number
  readonly whole: boolean
}

const readRecord = (message: Uint8Array, view: DataView, at: number): ResourceRecord | undefined => {
  const name = readName(message, at)
  if (name === undefined || name.end + 10 > message.length) return undefined
  const start = name.end + 10
  const end = start + view.getUint16(name.end + 8)
  if (end > message.length) return undefined
  const type = view.getUint16(name.end)
  const inClass = view.getUint16(name.end + 2) === classIn
  const ttl = view.getUint32(name.end + 4)
  // A record of another class is kept as a type that nobody asks for.
  const asked = inClass || type === steering.OPT ? type : 0
  return { message, name: name.text.toLowerCase(), type: asked, ttl: ttl > 0x7fffffff ? 0 : ttl, start, end }
}

const readSection = (message: Uint8Array, view: DataView, start: number, count: number): Section => {
  const records: ResourceRecord[] = []
  let end = start
  // A record is eleven octets or more, so the message's own size bounds this.
  for (let i = 0; i < count; i++) {
    const record = readRecord(message, view, end)
    if (record === undefined) return { records, end, whole: false }
    records.push(record)
    end = record.end
  }
  return { records, end, whole: true }
}

/** Read a message. Undefined when not even header and question can be read; never throws. */
export const decodeMessage = (bytes: Uint8Array): Message | undefined => {
  if (bytes.length < headerSize || bytes.length > 65_535) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = (section: number): number => view.getUint16(4 + 2 * section)
  const flags = view.getUint16(2)
  const asked = count(0) === 1 ? readName(bytes, headerSize) : undefined
  if (count(0) > 1 || (count(0) === 1 && (asked === undefined || asked.end + 4 > bytes.length))) return undefined
  const answers = readSection(bytes, view, asked === undefined ? headerSize : asked.end + 4, count(1))
  const authorities = readSection(bytes, view, answers.end, answers.whole ? count(2) : 0)
  const additionals = readSection(bytes, view, authorities.end, authorities.whole ? count(3) : 0)
  return {
    id: view.getUint16(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    authentic: (flags & 0x0020) !== 0,
    rcode: flags & 15,
    question: asked && {
      name: asked.text,
      type: view.getUint16(asked.end),
      inClass: view.getUint16(asked.end + 2) === classIn,
    },
    answers: answers.records,
    authorities: authorities.records,
    additionals: additionals.records,
    whole: answers.whole && authorities.whole,
    size: bytes.length,
  }
}

/** Whether a message answers this question and no other: id, question and direction (RFC 5452 §9.1). */
export const isReplyTo = (
  message: Message,
  id: number,
  name: string,
  type: RecordType,
  exactCase: boolean,
): boolean => {
  if (!message.response || message.opcode !== 0 || message.id !== id) return false
  // A server that could not read the question may answer without it; there is nothing to believe in such a reply.
  if (message.question === undefined) return message.rcode !== 0 && message.answers.length === 0
  const echoed = exactCase ? message.question.name : message.question.name.toLowerCase()
  return (
    message.question.inClass &&
    message.question.type === typeNumber[type] &&
    echoed === (exactCase ? name : name.toLowerCase())
  )
}
