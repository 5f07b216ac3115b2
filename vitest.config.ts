import { defineConfig } from 'vitest/config'

const conditions = ['@posthorn/source', 'node', 'import', 'module', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'test/{unit,e2e}/**/*.test.ts',
    ],
    execArgv: ['-C', '@posthorn/source'],
    pool: 'forks',
    testTimeout: 20_000,
    typecheck: { enabled: true, include: ['packages/*/src/**/*.test-d.ts'], tsconfig: './tsconfig.test.json' },
  },
})
