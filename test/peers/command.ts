import { execFile, spawnSync } from 'node:child_process'

/** Suites that mount, or start other servers, run as root, and then so does ours. */
export const rootIsMeant = { POSTHORN_ALLOW_ROOT: '1' } as const

/** What a command printed and how it ended. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Run a command to its end; never throws for a non-zero exit. */
export const run = (
  file: string,
  args: readonly string[],
  o: {
    readonly input?: string | Uint8Array
    readonly env?: NodeJS.ProcessEnv
    readonly cwd?: string
    readonly timeoutMs?: number
  } = {},
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      {
        env: { ...rootIsMeant, ...process.env, ...o.env },
        cwd: o.cwd,
        timeout: o.timeoutMs ?? 30_000,
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code === 'string') reject(error)
        else resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
      },
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(o.input)
  })

/** Whether a program is on this machine. */
export const has = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v "$1"`, 'sh', program], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  }).status === 0

/** Ask again every 20 ms until there is an answer; an error naming `what` after the time is up. */
export const until = async <T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 40_000,
): Promise<T> => {
  const end = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new Error(`timed out after ${timeoutMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
