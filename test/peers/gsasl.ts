import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Talk } from './talk.ts'

const script = fileURLToPath(new URL('python/sasl_client.py', import.meta.url))

/** Log in by what GNU SASL says; answers the last reply. `binding` is what it is told of the channel, 32 octets. */
export const gsaslLogin = async (
  t: Talk,
  o: {
    readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'
    readonly user: string
    readonly password: string
    readonly binding?: Uint8Array
  },
): Promise<string> => {
  const args = [o.mechanism, o.user, o.password, Buffer.from(o.binding ?? []).toString('base64')]
  const child = spawn('python3', [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const responses = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  try {
    let reply = await t.say(`AUTH ${o.mechanism}`)
    while (reply.startsWith('334')) {
      child.stdin.write(`${reply.slice(4)}\n`)
      const { value, done } = await responses.next()
      if (done === true) throw new Error(`GNU SASL gave up at ${reply}`)
      reply = await t.say(value)
    }
    return reply
  } finally {
    child.kill()
  }
}
