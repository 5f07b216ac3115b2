import { subjected, type Found } from './subject.ts'
import { introduced } from './stream.ts'

const words = ['RSET', 'NOOP', 'VRFY bob@example.org', 'NOOP again', 'RSET']
const perWrite = 1_000
const someJunk = Buffer.from(Array.from({ length: perWrite }, (_, i) => `${words[i % words.length]}\r\n`).join(''))

/** Commands that bring no mail, where nothing bounds their number: each is answered, and nothing is kept of them. */
export const junkUnbounded = (commands: number): Promise<Found> =>
  subjected({ limits: { idleCommands: null, errors: null }, mostMiB: 96 }, async ({ port }) => {
    const stream = await introduced(port)
    const before = stream.replies()
    const began = performance.now()
    for (let sent = 0; sent < commands; sent += perWrite)
      if (!(await stream.write(someJunk))) throw new Error(`cut after ${sent} commands: ${stream.last()}`)
    await stream.until(before + commands)
    if (stream.replies() - before !== commands)
      throw new Error(`${stream.replies() - before} replies to ${commands} commands`)
    stream.cut()
    return `${commands} commands answered in ${((performance.now() - began) / 1000).toFixed(1)} s`
  })

/** The same under the budget that holds when nothing else is configured: the session ends after some of them. */
export const junkBounded = (commands: number): Promise<Found> =>
  subjected({ limits: {}, mostMiB: 48 }, async ({ port }) => {
    const stream = await introduced(port)
    const before = stream.replies()
    for (let sent = 0; sent < commands && (await stream.write(someJunk)); sent += perWrite);
    await stream.closed
    const answered = stream.replies() - before
    if (answered > 150 || !stream.last().startsWith('421'))
      throw new Error(`${answered} answers, then: ${stream.last()}`)
    return `cut after ${answered} answers: ${stream.last()}`
  })
