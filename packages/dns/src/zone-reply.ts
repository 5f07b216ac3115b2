import {
  AUTHENTIC_DATA,
  AUTHORITATIVE_ANSWER,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet'
import { encode } from 'dns-packet'
import type { Answer as PacketAnswer, RecordType as PacketType } from 'dns-packet'
import type { Message } from './message.ts'
import { mostHops } from './reading.ts'
import { steering, typeNumber } from './record.ts'
import type { RecordType, RecordValue } from './record.ts'
import { lookUp } from './zones.ts'
import type { Zones } from './zones.ts'

/** The codes that a reply may end with (RFC 1035 §4.1.1). */
const rcodes = { ok: 0, formErr: 1, servFail: 2, nxDomain: 3, notImp: 4, refused: 5 } as const
export type Rcode = keyof typeof rcodes

/** A reply before it is encoded. */
interface Said {
  readonly rcode: Rcode
  readonly answers: readonly PacketAnswer[]
  readonly authorities: readonly PacketAnswer[]
  readonly secure: boolean
}

const typeOf: ReadonlyMap<number, RecordType> = new Map(
  Object.entries(typeNumber).map(([type, number]) => [number, type as RecordType]),
)
const silence: Said = { rcode: 'ok', answers: [], authorities: [], secure: false }

/** RFC 1035 §3.3.14: strings of at most 255 octets. */
const strings = (text: string): Buffer[] => {
  const octets = Buffer.from(text)
  return Array.from({ length: Math.max(1, Math.ceil(octets.length / 255)) }, (_, i) =>
    octets.subarray(i * 255, (i + 1) * 255),
  )
}

const packed: { readonly [T in RecordType]: (name: string, ttl: number, value: RecordValue[T]) => PacketAnswer } = {
  A: (name, ttl, data) => ({ type: 'A', name, ttl, data }),
  AAAA: (name, ttl, data) => ({ type: 'AAAA', name, ttl, data }),
  PTR: (name, ttl, data) => ({ type: 'PTR', name, ttl, data }),
  MX: (name, ttl, { preference, exchange }) => ({
    type: 'MX',
    name,
    ttl,
    data: { preference, exchange: exchange === '' ? '.' : exchange },
  }),
  TXT: (name, ttl, text) => ({ type: 'TXT', name, ttl, data: strings(text) }),
  TLSA: (name, ttl, { usage, selector, matching, data }) => ({
    type: 'TLSA',
    name,
    ttl,
    data: { usage, selector, matchingType: matching, certificate: Buffer.from(data) },
  }),
}

const soa = (name: string): PacketAnswer => ({
  type: 'SOA',
  name,
  ttl: 300,
  data: { mname: name, rname: `hostmaster.${name}`, serial: 1, refresh: 3600, retry: 600, expire: 86_400, minimum: 60 },
})

const say = (zones: Zones, name: string, type: RecordType): Said => {
  // `lookUp` gives values of the very type that is asked.
  const pack = packed[type] as (name: string, ttl: number, value: RecordValue[RecordType]) => PacketAnswer
  const answers: PacketAnswer[] = []
  let owner = name
  let secure = true
  for (let hops = 0; hops <= mostHops; hops++) {
    const found = lookUp(zones, owner, type)
    if (found.kind === 'failure') return { ...silence, rcode: 'servFail' }
    secure &&= found.secure
    if (found.kind === 'none')
      return { rcode: found.why === 'nodata' ? 'ok' : 'nxDomain', answers, authorities: [soa(owner)], secure }
    if (found.kind === 'records') {
      for (const value of found.values) answers.push(pack(owner, found.ttl, value))
      return { rcode: 'ok', answers, authorities: [], secure }
    }
    answers.push({ type: 'CNAME', name: owner, ttl: found.ttl, data: found.target })
    owner = found.target
  }
  return { ...silence, rcode: 'servFail' }
}

/** A reply with nothing in it but its code. */
export const emptyReply = (query: Message, rcode: Rcode, flags = 0): Uint8Array =>
  encode({
    type: 'response',
    id: query.id,
    flags: RECURSION_DESIRED | RECURSION_AVAILABLE | flags | rcodes[rcode],
    // dns-packet knows the numbers of types it has no name for as UNKNOWN_n.
    questions: query.question && [{ name: query.question.name || '.', type: typeName(query.question.type) }],
  })
const typeName = (type: number): PacketType => (typeOf.get(type) ?? `UNKNOWN_${type}`) as PacketType

/** The octets that a client can take over UDP: as its EDNS(0) says, else 512 (RFC 6891 §6.2.5). */
export const udpLimit = (query: Message): number => {
  const opt = query.additionals.find(record => record.type === steering.OPT)
  if (opt === undefined) return 512
  // The class field of OPT is the size; it lies before TTL and length.
  const view = new DataView(opt.message.buffer, opt.message.byteOffset)
  return Math.max(512, view.getUint16(opt.start - 8))
}

/** Reply to a query from static zones; undefined when the zones say that it is to time out. */
export const zoneReply = (zones: Zones, query: Message): Uint8Array | undefined => {
  const { question } = query
  if (question === undefined) return emptyReply(query, 'formErr')
  const type = typeOf.get(question.type)
  if (type === undefined || !question.inClass) return emptyReply(query, 'notImp')
  const name = question.name.toLowerCase()
  const found = lookUp(zones, name, type)
  if (found.kind === 'failure' && found.why === 'timeout') return undefined
  const { rcode, answers, authorities, secure } = say(zones, name, type)
  const reply = encode({
    type: 'response',
    id: query.id,
    flags:
      AUTHORITATIVE_ANSWER | RECURSION_DESIRED | RECURSION_AVAILABLE | (secure ? AUTHENTIC_DATA : 0) | rcodes[rcode],
    questions: [{ name: question.name, type }],
    answers: [...answers],
    authorities: [...authorities],
  })
  return reply.length > 65_535 ? emptyReply(query, 'servFail') : reply
}

/** The same reply without its records, and TC set: come back over TCP (RFC 2181 §9). */
export const truncated = (query: Message): Uint8Array => emptyReply(query, 'ok', TRUNCATED_RESPONSE)
