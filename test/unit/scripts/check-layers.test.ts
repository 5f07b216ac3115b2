import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { checkLayers, report } from '../../../scripts/check-layers.ts'
import { importsOf } from '../../../scripts/imports.ts'

describe('importsOf', () => {
  const named = (source: string) => importsOf(source).map(i => `${i.line} ${i.specifier}`)

  test('finds every way to name a module, with its line', () => {
    const source = [
      `import a from 'one'`,
      `import {`,
      `  type B,`,
      `} from "two"`,
      `import 'three'`,
      `import type { C } from 'four'`,
      `export * from 'five'`,
      `export type { D } from 'six'`,
      `const e = await import('seven')`,
      `const f: import('eight').F = require('nine')`,
      `const g = await import('ten', { with: { type: 'json' } })`,
    ].join('\n')
    expect(named(source)).toEqual([
      '1 one',
      '4 two',
      '5 three',
      '6 four',
      '7 five',
      '8 six',
      '9 seven',
      '10 eight',
      '10 nine',
      '11 ten',
    ])
  })
  test('reads no import in comments, strings, templates and regular expressions', () => {
    const source = [
      `// import 'a'`,
      `/* import 'b'`,
      `import 'c' */ const s = "import 'd'"`,
      "const t = `import 'e' ${f(`from 'g'`)} from 'h'`",
      `const r = /import 'i'/; const x = 1 / 2; const q = [/['"]/]`,
      `x.import('j')`,
      `import 'last' // it's`,
    ].join('\n')
    expect(named(source)).toEqual(['7 last'])
  })
  test('finds imports within a template substitution', () => {
    expect(named("`a ${{ b: await import('c') }} from 'd'` + import('e')")).toEqual(['1 c', '1 e'])
  })
  test('says that a computed name cannot be known', () => {
    expect(named('import(name)\nimport("a" + b)')).toEqual(['1 undefined', '2 undefined'])
  })
})

describe('checkLayers', () => {
  let root: string | undefined
  afterEach(() => {
    if (root !== undefined) rmSync(root, { recursive: true })
    root = undefined
  })
  const tree = (files: Record<string, unknown>): string[] => {
    root = mkdtempSync(join(tmpdir(), 'layers-'))
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true })
      writeFileSync(join(root, file), typeof content === 'string' ? content : JSON.stringify(content, undefined, 1))
    }
    return checkLayers(root).map(p => `${p.file}:${p.line} ${p.rule}`)
  }
  const pack = (name: string, layer: number | undefined, dependencies: string[] = [], dev: string[] = []) => ({
    name: name.startsWith('@') ? name : `@posthorn/${name}`,
    posthorn: { layer },
    exports: { '.': './src/index.ts', './extra': './src/extra.ts' },
    dependencies: Object.fromEntries(dependencies.map(d => [`@posthorn/${d}`, '*'])),
    devDependencies: Object.fromEntries(dev.map(d => [`@posthorn/${d}`, '*'])),
  })

  test('an import of a declared package of a lower layer is in order', () => {
    expect(
      tree({
        'packages/low/package.json': pack('low', 0),
        'packages/high/package.json': pack('high', 4, ['low']),
        'packages/high/src/index.ts': `import '@posthorn/low'\nimport '@posthorn/low/extra'\nimport 'node:fs'\nimport './x.ts'`,
      }),
    ).toEqual([])
  })
  test('an import or a dependency at the same or a higher layer is refused, also in tests', () => {
    expect(
      tree({
        'packages/a/package.json': pack('a', 4, ['b', 'c']),
        'packages/a/src/index.ts': `import '@posthorn/b'\nexport type X = import('@posthorn/c').X`,
        'packages/a/src/index.test.ts': `import '@posthorn/c'`,
        'packages/b/package.json': pack('b', 4, [], ['c']),
        'packages/c/package.json': pack('c', 5),
      }),
    ).toEqual([
      'packages/a/package.json:11 downward-only',
      'packages/a/package.json:12 downward-only',
      'packages/a/src/index.test.ts:1 downward-only',
      'packages/a/src/index.ts:1 downward-only',
      'packages/a/src/index.ts:2 downward-only',
      'packages/b/package.json:12 downward-only',
    ])
  })
  test('an undeclared workspace package is refused; a test may lean on devDependencies', () => {
    expect(
      tree({
        'packages/low/package.json': pack('low', 0),
        'packages/kit/package.json': pack('kit', 3.2),
        'packages/high/package.json': pack('high', 4, [], ['kit']),
        'packages/high/src/index.ts': `import '@posthorn/low'\nimport '@posthorn/kit'`,
        'packages/high/src/index.test.ts': `import '@posthorn/low'\nimport '@posthorn/kit'`,
      }),
    ).toEqual([
      'packages/high/src/index.test.ts:1 undeclared',
      'packages/high/src/index.ts:1 undeclared',
      'packages/high/src/index.ts:2 undeclared',
    ])
  })
  test('a path into another package is refused', () => {
    expect(
      tree({
        'packages/low/package.json': pack('low', 0),
        'packages/high/package.json': pack('high', 4, ['low']),
        'packages/high/src/index.ts': `import '@posthorn/low/src/x.ts'\nimport '../../low/src/x.ts'\nimport '../test/y.ts'`,
      }),
    ).toEqual(['packages/high/src/index.ts:1 deep-import', 'packages/high/src/index.ts:2 deep-import'])
  })
  test('Node in a pure layer is refused, but for its tests', () => {
    expect(
      tree({
        'packages/low/package.json': pack('low', 3.2),
        'packages/low/src/index.ts': `import 'node:fs'\nimport 'events'\nawait import(x)\nimport 'fast-check'`,
        'packages/low/src/index.test.ts': `import 'node:fs'\nawait import(x)`,
      }),
    ).toEqual([1, 2, 3].map(line => `packages/low/src/index.ts:${line} pure-layers`))
  })
  test('a plugin stands on layers 0 to 3 only; its tests may use the testkit', () => {
    expect(
      tree({
        'packages/plugin/package.json': pack('plugin', 3),
        'packages/kit/package.json': pack('kit', 3.2),
        'packages/queue/package.json': pack('queue', 4),
        'packages/plugin-x/package.json': pack('plugin-x', 6, ['plugin', 'queue'], ['kit']),
        'packages/plugin-x/src/index.ts': `import '@posthorn/plugin'\nimport '@posthorn/queue'\nimport 'undici'`,
        'packages/plugin-x/src/index.test.ts': `import '@posthorn/kit'`,
      }),
    ).toEqual([
      'packages/plugin-x/package.json:12 plugins-stand-on-layer-3',
      'packages/plugin-x/src/index.ts:2 plugins-stand-on-layer-3',
    ])
  })
  test('a package without a layer is refused', () => {
    expect(tree({ 'apps/x/package.json': pack('x', undefined) })).toEqual(['apps/x/package.json:1 no-layer'])
  })
  test('the report names file, line and rule, and explains each broken rule once', () => {
    const at = { file: 'packages/a/src/index.ts', rule: 'deep-import', what: 'imports @posthorn/b/src/x.ts' } as const
    expect(
      report([
        { ...at, line: 3 },
        { ...at, line: 9 },
      ]),
    ).toBe(
      `packages/a/src/index.ts:3: imports @posthorn/b/src/x.ts [deep-import]
packages/a/src/index.ts:9: imports @posthorn/b/src/x.ts [deep-import]

deep-import: a package is entered by its door, never by a path into it`,
    )
  })
})
