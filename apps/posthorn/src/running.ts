import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a running server leaves in its state directory for the other commands. */
export interface RunningServer {
  readonly pid: number
  /** The control socket. */
  readonly control: string
  readonly hostname: string
  /** The file of the certificate that it signed for itself; absent when the configuration names one. */
  readonly selfSigned?: string
  readonly listeners: Readonly<
    Record<string, { readonly host: string; readonly port: number } | { readonly path: string }>
  >
}

const file = (state: string): string => join(state, 'run.json')

/** Undefined when no server left word; it may still be dead, so a failed connection means none. */
export const readRunning = (state: string): RunningServer | undefined => {
  try {
    return JSON.parse(readFileSync(file(state), 'utf8')) as RunningServer
  } catch {
    return undefined
  }
}

export const writeRunning = (state: string, running: RunningServer): void => {
  writeFileSync(`${file(state)}.new`, JSON.stringify(running), { mode: 0o600 })
  renameSync(`${file(state)}.new`, file(state))
}

export const removeRunning = (state: string): void => rmSync(file(state), { force: true })
