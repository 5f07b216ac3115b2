import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const root: string = resolve(import.meta.dirname, '../..')

/** A fenced block of a document. */
export interface Block {
  /** The first word after the fence, such as `ts`. */
  readonly language: string
  readonly text: string
  /** Of its first line of text, from 1. */
  readonly line: number
}

/** Every document whose code readers will copy, relative to the root. */
export const documents: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
  ...readdirSync(join(root, 'packages')).map(name => `packages/${name}/README.md`),
]

/** The fenced blocks of a document, in their order. Throws Error on a fence that is not closed. */
export const blocksOf = (document: string): readonly Block[] => {
  const blocks: Block[] = []
  let open: { readonly language: string; readonly line: number; readonly lines: string[] } | undefined
  for (const [index, line] of readFileSync(join(root, document), 'utf8').split('\n').entries()) {
    if (open === undefined) {
      const [, language] = /^```(\S*)/.exec(line) ?? []
      if (language !== undefined) open = { language, line: index + 2, lines: [] }
    } else if (line === '```') {
      blocks.push({ language: open.language, line: open.line, text: `${open.lines.join('\n')}\n` })
      open = undefined
    } else open.lines.push(line)
  }
  if (open !== undefined) throw new Error(`${document}: the block at line ${open.line} is not closed`)
  return blocks
}

/** A block of code under the name of the file that it is: a first line such as `// my-stack.ts` gives it one. */
export interface Example extends Block {
  readonly file: string
}
export const examplesOf = (document: string): readonly Example[] =>
  blocksOf(document)
    .filter(block => block.language === 'ts')
    .map(block => ({ ...block, file: /^\/\/ ([\w.-]+\.ts)\n/.exec(block.text)?.[1] ?? `line-${block.line}.ts` }))

/** The commands of a document's shell blocks, one a line; comments and what follows `#` are left out. */
export const commandsOf = (document: string): readonly string[] =>
  blocksOf(document)
    .filter(block => block.language === 'sh')
    .flatMap(block => block.text.replaceAll('\\\n', ' ').split('\n'))
    .map(line => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(line => line !== '')
