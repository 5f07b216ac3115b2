#!/bin/sh
':' //; self=$0; while [ -h "$self" ]; do d=$(dirname "$self"); l=$(readlink "$self"); case $l in /*) self=$l ;; *) self=$d/$l ;; esac; done
':' //; bin=$(cd "$(dirname "$self")" && pwd -P); for node in "$bin/../../../node_modules/node/bin/node" "$bin/../../node/bin/node" node; do command -v "$node" >/dev/null 2>&1 && exec "$node" "$bin/posthorn.js" "$@"; done
':' //; echo "posthorn needs Node.js 24 or newer, and found none. Get it from https://nodejs.org or run 'npm install' in the checkout." >&2; exit 1
// Above: run by its name this file is a shell script, which replaces itself by the pinned Node so that signals reach it.
// Below: run by any `node`, this file finds a Node new enough, or says which it needs. Old syntax on purpose.
/* eslint-disable */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'

const needed = 24
const path = relative => fileURLToPath(new URL(relative, import.meta.url))
const source = path('../src/main.ts')
const main = existsSync(source) ? source : path('../dist/main.js')
// Memory: the collector is exposed so that the buffers of large messages go as soon as they are done with. A message of 100 MiB then
// costs some 20. Half a nursery has 10 MiB and the heap may grow by three quarters of what lives in it before it is collected: with
// 8 MiB and two fifths a relay is a sixth slower, since mail on its way grows old; with more it is no faster, and takes more memory.
const flags = [
  '--disable-warning=ExperimentalWarning',
  '--expose-gc',
  '--max-semi-space-size=10',
  '--heap-growing-percent=75',
  ...(main === source ? ['-C', '@posthorn/source'] : []),
]
const pinned = [path('../../../node_modules/node/bin/node'), path('../../node/bin/node')].find(p => existsSync(p))
const recent = Number(process.versions.node.split('.')[0]) >= needed
const args = [...flags, main, ...process.argv.slice(2)]
// In a checkout the sources are compiled once and not at every call; the directory is as private as the checkout.
const env =
  main === source ? { NODE_COMPILE_CACHE: path('../../../node_modules/.cache/posthorn'), ...process.env } : process.env

// Whoever looks at the queue must not take the processor from the mail.
try {
  if (process.argv[2] === 'queue' && getPriority() < 10) setPriority(10)
} catch {
  // Where that is not allowed, it is done at the usual pace.
}

if (recent && process.execve) {
  process.removeAllListeners('warning')
  process.execve(process.execPath, [process.execPath, ...args], env)
} else if (pinned || recent) {
  // An old Node cannot replace itself: the child runs, signals are passed on, and the child ends if we are killed (its channel closes).
  const child = spawn(pinned || process.execPath, args, {
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) =>
    signal ? process.kill(process.pid, signal) : process.exit(code === null ? 1 : code),
  )
} else {
  process.stderr.write(
    `posthorn needs Node.js ${needed} or newer; this is ${process.version}.\n` +
      `Get it from https://nodejs.org, or run "npm ci" in the checkout, which brings its own.\n`,
  )
  process.exit(1)
}
