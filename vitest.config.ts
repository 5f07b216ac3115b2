import { defineConfig } from 'vitest/config'

const conditions = ['@posthorn/source', 'node', 'module', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'test/{unit,e2e,simulation}/**/*.test.ts',
    ],
    execArgv: ['-C', '@posthorn/source'],
    pool: 'forks',
    // The programs that tests start by the hundred read the sources without compiling them each time.
    env: { NODE_COMPILE_CACHE: new URL('./node_modules/.cache/posthorn', import.meta.url).pathname },
    testTimeout: 20_000,
    typecheck: { enabled: true, include: ['packages/*/src/**/*.test-d.ts'], tsconfig: './tsconfig.test.json' },
  },
})
