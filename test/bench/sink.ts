import { spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, listening } from '../peers/port.ts'

/** Postfix's `smtp-sink`, which takes mail, writes nothing and counts. */
export interface Sink {
  readonly port: number
  readonly count: () => number
  stop(): void
}

/** Its count goes into a file, and is read when somebody asks: whoever read it from a pipe at each message would take part of the processors. */
export const startSink = async (): Promise<Sink> => {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-sink-'))
  const fd = openSync(join(dir, 'count'), 'a+')
  const child = spawn('/usr/sbin/smtp-sink', ['-u', 'postfix', '-c', `127.0.0.1:${port}`, '1000'], {
    stdio: ['ignore', fd, 'inherit'],
  })
  await listening(port)
  const tail = Buffer.alloc(256)
  return {
    port,
    count: () => {
      const { size } = fstatSync(fd)
      const length = readSync(fd, tail, 0, tail.length, Math.max(0, size - tail.length))
      // `-c` rewrites one line: sess=… quit=… mesg=…
      const counts = [...tail.toString('latin1', 0, length).matchAll(/mesg=(\d+)\s/g)]
      return Number(counts.at(-1)?.[1] ?? 0)
    },
    stop: () => {
      child.kill('SIGTERM')
      closeSync(fd)
      rmSync(dir, { recursive: true })
    },
  }
}
