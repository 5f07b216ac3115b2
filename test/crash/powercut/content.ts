import { seededRandom } from '@posthorn/testkit'

/** Of a message that a workload sends: its name, which says its size and so all of its content. */
export interface Sample {
  readonly name: string
  readonly size: number
  readonly recipients: number
}

/** What stands at the top, as the trace headers do. */
export const headOf = (name: string): Uint8Array => Buffer.from(`X-Name: ${name}\r\n\r\n`)

/** The octets of that name: every line is unlike every other, so that a sector which is missing, old or elsewhere shows. */
export const contentOf = (name: string): Uint8Array => {
  const size = Number(/-(\d+)$/.exec(name)?.[1])
  const lines: string[] = []
  for (let at = 0, n = 0; at < size; n++) {
    const line = `${name} ${String(n).padStart(6, '0')} ${'.'.repeat(n % 40)}\r\n`
    lines.push(line)
    at += line.length
  }
  return Buffer.from(lines.join('')).subarray(0, size)
}

/** The name of a message that begins with its head; undefined when that is not whole, or anything after it. */
export const wholeName = (bytes: Uint8Array): string | undefined => {
  const start = Buffer.from(bytes.subarray(0, 200)).toString('latin1')
  const name = /^X-Name: (\S+-\d+)\r\n\r\n/.exec(start)?.[1]
  if (name === undefined) return undefined
  return Buffer.concat([headOf(name), contentOf(name)]).equals(bytes) ? name : undefined
}

/** Small ones, those that just fit into the database, and those larger than `inline`, which go through the spool. */
export const samplesOf = (label: string, count: number, seed: number, inline: number): readonly Sample[] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, i) => {
    const kind = random.int(6)
    const size = kind < 2 ? 200 + random.int(3000) : kind < 5 ? inline - random.int(4000) : inline + random.int(40_000)
    return { name: `${label}${i}-${size}`, size, recipients: 1 + random.int(2) }
  })
}

/** What becomes of a delivery, always the same for the same name. */
export const endOf = (name: string, rcpt: string): 'delivered' | 'failed' | 'retry' | 'left' => {
  let sum = rcpt.length
  for (const octet of Buffer.from(name + rcpt)) sum = (sum * 31 + octet) % 1009
  const part = sum % 20
  // A report is delivered, so that there is an end to it.
  if (name.startsWith('report') || part < 14) return 'delivered'
  return part < 16 ? 'retry' : part < 18 ? 'failed' : 'left'
}
