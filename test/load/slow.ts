import { subjected, type Found } from './subject.ts'
import { open, type Stream } from './stream.ts'

/** What may be kept for each, in KiB; an idle session takes about four. */
const mostEach = 40
const line = Buffer.from('EHLO a-very-patient-client.with-a-long-name.example\r\n')

/** Many clients that send an octet a second. */
export const slowClients = (connections: number, seconds: number): Promise<Found> =>
  subjected({ limits: {}, mostMiB: 16 + (connections * mostEach) / 1024 }, async ({ port }) => {
    const streams: Stream[] = []
    for (let i = 0; i < connections; i++) streams.push(await open(port))
    for (let second = 0; second < seconds; second++) {
      const pause = new Promise(resolve => setTimeout(resolve, 1_000))
      for (const stream of streams) await stream.write(line.subarray(second % line.length, (second % line.length) + 1))
      await pause
    }
    const lost = streams.filter(stream => stream.over()).length
    for (const stream of streams) stream.cut()
    if (lost > 0) throw new Error(`${lost} of ${connections} were cut, who had minutes left`)
    return `${connections} connections at an octet a second for ${seconds} s`
  })
