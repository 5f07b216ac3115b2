import { sendMail, talk } from '../peers/talk.ts'

/** How an ordinary client was served meanwhile: messages, and the time each took from MAIL to the last reply, in ms. */
export interface Attendance {
  readonly messages: number
  readonly median: number
  readonly longest: number
}
export interface Bystander {
  sent(): number
  /** Rejects when a message was refused or the connection broke. */
  leave(): Promise<Attendance>
}

const content = `From: ann@elsewhere.example\r\nSubject: meanwhile\r\n\r\n${'All is quiet here. '.repeat(50)}`

/** An ordinary client that sends a message every so often, one after the other over one connection. */
export const attend = async (port: number, pauseMs = 20): Promise<Bystander> => {
  const times: number[] = []
  let over = false
  const t = await talk(port)
  const first = await t.say('EHLO bystander.example')
  if (!first.startsWith('250')) throw new Error(first)
  const run = async (): Promise<void> => {
    // Once more after the end, so that even a case of a blink has one.
    for (let last = false; !last;) {
      last = over
      const began = performance.now()
      const reply = await sendMail(t, { to: ['bob@example.org'], content })
      if (!reply.startsWith('250')) throw new Error(`the bystander was told: ${reply}`)
      times.push(performance.now() - began)
      await new Promise(resolve => setTimeout(resolve, pauseMs))
    }
  }
  const running = run()
  // It is awaited in `leave`; until then its failure waits.
  running.catch(() => undefined)
  return {
    sent: () => times.length,
    leave: async () => {
      over = true
      await running
      t.cut()
      const sorted = times.toSorted((a, b) => a - b)
      return { messages: sorted.length, median: sorted[sorted.length >> 1] ?? 0, longest: sorted.at(-1) ?? 0 }
    },
  }
}
