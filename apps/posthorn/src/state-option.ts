import type { Command } from 'commander'
import { resolve } from 'node:path'
import { loadSettings } from './settings.ts'

/** Options of every command that works on a state directory. */
export interface StateOptions {
  readonly config?: string
  readonly state?: string
  readonly json?: boolean
}

export const withState = (command: Command): Command =>
  command
    .option('--config <file>', 'configuration file; development mode without one')
    .option('--state <dir>', "state directory; the configuration's, or ./var")
    .option('--json', 'machine-readable output')

/** The state directory that the options mean. */
export const stateOf = async (o: StateOptions): Promise<string> =>
  o.state === undefined ? (await loadSettings(o)).state : resolve(o.state)
