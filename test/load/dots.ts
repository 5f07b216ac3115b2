import { cpuOf } from '../peers/usage.ts'
import { introduced } from './stream.ts'
import { subjected, type Found } from './subject.ts'

const dotted = Buffer.from('..\r\n'.repeat(1_000_000))
const ordinary = Buffer.from(`${'x'.repeat(76)}\r\n`.repeat(Math.ceil(dotted.length / 78)).slice(-dotted.length))
const end = Buffer.from('\r\n.\r\n')
const header = Buffer.from('Subject: dots\r\n\r\n')
/** The kernel counts time in hundredths of a second, so one message would measure nothing. */
const rounds = 12

/** A million lines of dots, which are to be undoubled one by one, beside ordinary lines of the same length. */
export const dots = (): Promise<Found> =>
  subjected({ limits: { sessionMs: null }, mostMiB: 160 }, async ({ port, pid }) => {
    const costOf = async (body: Uint8Array): Promise<number> => {
      const before = cpuOf(pid)
      const stream = await introduced(port, 'MAIL FROM:<a@b.example>', 'RCPT TO:<bob@example.org>', 'DATA')
      for (const part of [header, body, end]) await stream.write(part)
      await stream.until(stream.replies() + 1)
      if (!stream.last().startsWith('250')) throw new Error(`it was told: ${stream.last()}`)
      stream.cut()
      return cpuOf(pid) - before
    }
    await costOf(dotted)
    await costOf(ordinary)
    let [withDots, without] = [0, 0]
    for (let round = 0; round < rounds; round++) {
      without += await costOf(ordinary)
      withDots += await costOf(dotted)
    }
    const ratio = withDots / without
    if (!(ratio <= 3))
      throw new Error(`dots take ${ratio.toFixed(2)} × the CPU of ordinary lines; at most 3 are allowed`)
    const ms = (seconds: number): string => ((seconds / rounds) * 1000).toFixed(0)
    return `${ms(withDots)} ms of CPU, ordinary lines ${ms(without)} ms: ${ratio.toFixed(2)} ×`
  })
