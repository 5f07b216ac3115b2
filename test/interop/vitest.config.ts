import { defineConfig } from 'vitest/config'

// Real programs on real sockets: one file at a time, generous deadlines.
const conditions = ['@posthorn/source', 'node', 'module', 'default']
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/{interop,crash,load}/**/*.test.ts'],
    globalSetup: ['test/interop/left-behind.ts'],
    execArgv: ['-C', '@posthorn/source'],
    pool: 'forks',
    env: { NODE_COMPILE_CACHE: new URL('../../node_modules/.cache/posthorn', import.meta.url).pathname },
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
