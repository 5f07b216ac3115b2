import { spawn } from 'node:child_process'
import { freePort, listening } from '../peers/port.ts'

/** Postfix's `smtp-sink`, which takes mail, writes nothing and counts. */
export interface Sink {
  readonly port: number
  readonly count: () => number
  stop(): void
}

export const startSink = async (): Promise<Sink> => {
  const port = await freePort()
  const child = spawn('/usr/sbin/smtp-sink', ['-u', 'postfix', '-c', `127.0.0.1:${port}`, '1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let messages = 0
  // `-c` rewrites one line: sess=… quit=… mesg=…
  child.stdout.on('data', chunk => {
    for (const found of String(chunk).matchAll(/mesg=(\d+)/g)) messages = Number(found[1])
  })
  await listening(port)
  return { port, count: () => messages, stop: () => void child.kill('SIGTERM') }
}
