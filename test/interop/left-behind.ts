import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../peers/command.ts'

/** What the kernel says, or nothing when the process has ended meanwhile. */
const ask = (what: () => string): string => {
  try {
    return what()
  } catch {
    return ''
  }
}
const file = (pid: string, name: string): string => ask(() => readFileSync(`/proc/${pid}/${name}`, 'utf8'))

/** Whether it was called with this directory, inherited it, or stands in it. */
const knows = (pid: string, directory: string): boolean =>
  [file(pid, 'cmdline'), file(pid, 'environ'), ask(() => readlinkSync(`/proc/${pid}/cwd`))].some(text =>
    text.includes(directory),
  )

/** The test runner's own children are not ours to count; those of a worker that has ended have another parent. */
const isRunner = (pid: string): boolean =>
  Number(pid) === process.pid || file(pid, 'status').includes(`\nPPid:\t${process.pid}\n`)

const processesOf = (directory: string): readonly string[] =>
  readdirSync('/proc').filter(name => /^\d+$/.test(name) && !isRunner(name) && knows(name, directory))

/** Gives the whole run a temporary directory of its own, and fails it when a process or a file is left behind. */
export default (): (() => Promise<void>) => {
  const before = process.env['TMPDIR']
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-interop-'))
  chmodSync(directory, 0o755) // the users of Postfix and Dovecot work in it too
  process.env['TMPDIR'] = directory
  return async () => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    const files = readdirSync(directory)
    let processes: readonly string[] = []
    // Those that were told to end may still be at it.
    const gone = (): true | undefined => (processes = processesOf(directory)).length === 0 || undefined
    await until('the end of all processes', gone, 5000).catch(() => undefined)
    const names = processes.map(pid => `process ${pid} ${file(pid, 'cmdline').replaceAll('\0', ' ')}`)
    rmSync(directory, { recursive: true, force: true })
    if (files.length > 0 || names.length > 0) throw new Error(`left behind: ${[...files, ...names].join(', ')}`)
  }
}
