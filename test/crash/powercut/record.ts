import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root as checkout } from '../../peers/posthorn.ts'
import { Disk } from './disk.ts'
import { everything } from './survival.ts'
import { readTrace, tracedCalls } from './trace.ts'

/** A workload that ran under strace: its tree as it was left, and one trace for each of its processes. */
export interface Recording {
  readonly root: string
  readonly traces: readonly string[]
}

/** How it went on: killed, started again on what it had, and at last closed. Long enough for the log to be begun anew. */
const phases = [
  { label: 'm', ending: 'kill', killed: true },
  { label: 'n', ending: 'kill', killed: true },
  { label: 'o', ending: 'close', killed: false },
]

const strace = 'strace'

const trace = (
  file: string,
  args: readonly string[],
): Promise<{ readonly signal: string | null; readonly output: string }> =>
  new Promise((resolve, reject) => {
    const node = join(checkout, 'node_modules/node/bin/node')
    const options = ['-f', '-qq', '-v', '-xx', '-s', '1000000', '--seccomp-bpf', '-o', file]
    const which = ['-e', `trace=${tracedCalls.join(',')}`, '-e', 'signal=none']
    const command = [node, '--disable-warning=ExperimentalWarning', '-C', '@posthorn/source', ...args]
    const child = spawn(strace, [...options, ...which, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, UV_USE_IO_URING: '0' },
      cwd: checkout,
    })
    const kept: string[] = []
    child.stdout.on('data', () => undefined) // a pipe that is read, as a client's socket is
    child.stderr.on('data', chunk => kept.push(String(chunk)))
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      resolve({ signal: code === 0 ? null : (signal ?? `code ${code}`), output: kept.join('') }),
    )
  })

/** Run the workload below `directory` under strace. Rejects when it does not go as it should. */
export const record = async (
  directory: string,
  o: { readonly messages: number; readonly seed: number },
): Promise<Recording> => {
  const root = join(directory, 'root')
  mkdirSync(root)
  const traces: string[] = []
  for (const [i, { label, ending, killed }] of phases.entries()) {
    const file = join(directory, `trace.${i}`)
    traces.push(file)
    const workload = fileURLToPath(new URL('./workload.ts', import.meta.url))
    const { signal, output } = await trace(file, [
      workload,
      root,
      label,
      String(o.messages),
      String(o.seed + i),
      ending,
    ])
    if (signal !== (killed ? 'SIGKILL' : null)) throw new Error(`the workload ended with ${signal}: ${output}`)
  }
  const recording = { root, traces }
  compare(recording)
  return recording
}

const filesBelow = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.endsWith('-shm'))
    .map(entry => join(entry.parentPath, entry.name))

/** The model of the disk, fed with the whole trace, must have come to what is really there: so nothing was missed. */
const compare = ({ root, traces }: Recording): void => {
  const disk = new Disk({ root })
  for (const path of traces) {
    disk.newProcess()
    for (const edge of readTrace(path)) disk.feed(edge)
  }
  const image = disk.image(everything)
  const real = filesBelow(root)
  const known = [...image.keys()].filter(path => !path.endsWith('/'))
  const odd = real
    .filter(path => !readFileSync(path).equals(image.get(path.slice(root.length + 1)) ?? Buffer.from('no such file')))
    .concat(known.filter(path => !real.includes(join(root, path))))
  if (odd.length > 0) throw new Error(`the trace does not explain ${odd.join(', ')}`)
}
