import { subjected, type Found } from './subject.ts'
import { introduced } from './stream.ts'

const MIB = 1_048_576
const noise = Buffer.alloc(64 * 1024, 'x')

/** A command that never ends. With `bounded` the session is cut, else all of it is read and nothing kept. */
export const endlessCommand = (octets: number, bounded: boolean): Promise<Found> =>
  subjected({ limits: bounded ? {} : { endlessLine: null }, mostMiB: 64 }, async ({ port }) => {
    const stream = await introduced(port)
    let sent = 0
    while (sent < octets && (await stream.write(noise))) sent += noise.length
    if (bounded) {
      await stream.closed
      return `cut: ${stream.last()}`
    }
    const before = stream.replies()
    await stream.write(Buffer.from('\r\n'))
    await stream.until(before + 1)
    if (!stream.last().startsWith('500')) throw new Error(`it was told: ${stream.last()}`)
    stream.cut()
    return `${Math.round(sent / MIB)} MiB read: ${stream.last()}`
  })

/** The same as a line of a message, which is more than it may have. */
export const endlessBodyLine = (octets: number): Promise<Found> =>
  subjected({ limits: {}, mostMiB: 96 }, async ({ port }) => {
    const stream = await introduced(port, 'MAIL FROM:<a@b.example>', 'RCPT TO:<bob@example.org>', 'DATA')
    await stream.write(Buffer.from('Subject: a long line\r\n\r\n'))
    for (let sent = 0; sent < octets; sent += noise.length)
      if (!(await stream.write(noise))) return `cut: ${stream.last()}`
    const before = stream.replies()
    await stream.write(Buffer.from('\r\n.\r\n'))
    await stream.until(before + 1)
    if (!stream.last().startsWith('552')) throw new Error(`it was told: ${stream.last()}`)
    stream.cut()
    return `${Math.round(octets / MIB)} MiB read: ${stream.last()}`
  })
