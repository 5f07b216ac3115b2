import { spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A program in an enclosure, with all that it started. */
export interface Enclosed {
  /** All it printed. */
  output(): string
  /** Resolves when the last process in there has ended. */
  readonly ended: Promise<void>
  /** End all of them at once. */
  stop(): Promise<void>
}

/** Where scripts/install-peers unpacks the servers that Debian won't install beside Postfix. */
const unpacked = '/opt/posthorn-peers'
/** A file of such a server, by the path that its package gives it. */
export const peerFile = (server: 'exim' | 'opensmtpd', path: string): string => `${unpacked}/${server}${path}`
/** Whether a program is one of those; they need root, for their users and for the mounts of an enclosure. */
export const isUnpacked = (program: string): boolean => program.startsWith(`${unpacked}/`)

/** Accounts in an enclosure, whose home is its directory `mail`. They exist nowhere else. */
export const firstUid = 920

/** The user who owns the Maildirs, in every enclosure. */
export const mailOwner = 'vmail'

/** Write an `etc` for a server that runs as these users, `mailOwner` being added, and give that one a directory `mail`. */
export const furnish = (dir: string, users: readonly string[]): void => {
  chmodSync(dir, 0o755)
  for (const name of ['etc', 'mail']) mkdirSync(join(dir, name))
  const all = [...users, mailOwner]
  const row = (name: string, i: number): string =>
    `${name}:x:${firstUid + i}:${firstUid + i}::${join(dir, 'mail')}:/usr/sbin/nologin\n`
  const etc: Readonly<Record<string, string>> = {
    passwd: `root:x:0:0::/root:/bin/sh\n${all.map(row).join('')}`,
    group: `root:x:0:\n${all.map((name, i) => `${name}:x:${firstUid + i}:\n`).join('')}`,
    hosts: '127.0.0.1 localhost\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
    'resolv.conf': '',
  }
  for (const [name, text] of Object.entries(etc)) writeFileSync(join(dir, 'etc', name), text)
  chownSync(join(dir, 'mail'), firstUid + users.length, firstUid + users.length)
}

/**
 * Run a server as root where directories of `dir` lie over those of the machine: `over: ['etc']` puts `dir/etc` over `/etc`. So a server
 * whose paths and users are compiled in has them to itself, and the machine stays as it is. All of it ends with the first process.
 */
export const enclose = (o: {
  readonly dir: string
  readonly over: readonly string[]
  readonly command: readonly string[]
}): Enclosed => {
  // The shell stays, as the first process: a server that changes its user would not be ended with its parent.
  const inside =
    'dir=$1; over=$2; shift 2; for d in $over; do mount --bind "$dir/$d" "/$d" || exit 1; done; "$@"; exit $?'
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('unshare', [...namespaces, 'sh', '-c', inside, 'sh', o.dir, o.over.join(' '), ...o.command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += String(chunk)))
  // Not `exit`: its processes hold the pipes.
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  return {
    output: () => text,
    ended,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
