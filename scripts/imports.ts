/** One module named by a source text: by `import`, `export … from`, `import()`, an `import('…')` type or `require`. */
export interface Import {
  /** The module's name; `undefined` when the argument of `import()` is not a plain string. */
  readonly specifier: string | undefined
  /** From 1. */
  readonly line: number
}

interface Token {
  readonly kind: 'word' | 'string' | 'punctuation'
  readonly text: string
  readonly line: number
}

/** What a `/` after these words begins is a regular expression, not a division. */
const beforeExpression = new Set(
  'return typeof case in of delete void throw new do else instanceof yield await'.split(' '),
)

const endOfRegExp = (source: string, start: number): number => {
  let inClass = false
  for (let at = start + 1; at < source.length; at++) {
    const c = source[at]
    if (c === '\\') at++
    else if (c === '[') inClass = true
    else if (c === ']') inClass = false
    else if (c === '\n') return start + 1
    else if (c === '/' && !inClass) return at + 1
  }
  return start + 1
}

const endOfString = (source: string, start: number): number => {
  const quote = source[start]
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++
    else if (source[at] === quote || source[at] === '\n') return at + 1
  }
  return source.length
}

const endOf = (source: string, mark: string, from: number): number => {
  const at = source.indexOf(mark, from)
  return at < 0 ? source.length : at + mark.length
}

const expectsExpression = (last: Token | undefined): boolean => {
  if (last === undefined) return true
  if (last.kind === 'word') return beforeExpression.has(last.text)
  return last.kind === 'punctuation' && last.text !== ')' && last.text !== ']' && last.text !== '}'
}

/** Words, plain strings and punctuation; comments, template text and regular expressions left out. */
const tokens = (source: string): Token[] => {
  const found: Token[] = []
  // For each template literal we are inside the substitution of: how many braces are open in it.
  const braces: number[] = []
  let line = 1
  let at = 0
  const countLines = (end: number): void => {
    for (; at < end; at++) if (source[at] === '\n') line++
  }
  const template = (start: number): void => {
    let end = start
    while (end < source.length && source[end] !== '`') {
      if (source[end] === '$' && source[end + 1] === '{') {
        braces.push(0)
        return countLines(end + 2)
      }
      end += source[end] === '\\' ? 2 : 1
    }
    found.push({ kind: 'punctuation', text: ')', line })
    countLines(end + 1)
  }
  while (at < source.length) {
    const c = source[at] ?? ''
    const two = source.slice(at, at + 2)
    const word = /^[\p{L}\p{N}_$#@]+/u.exec(source.slice(at, at + 200))?.[0]
    if (two === '//') countLines(endOf(source, '\n', at))
    else if (two === '/*') countLines(endOf(source, '*/', at + 2))
    else if (c === '/' && expectsExpression(found.at(-1))) {
      countLines(endOfRegExp(source, at))
      found.push({ kind: 'punctuation', text: ')', line })
    } else if (c === "'" || c === '"') {
      const end = endOfString(source, at)
      found.push({ kind: 'string', text: source.slice(at + 1, end - 1), line })
      countLines(end)
    } else if (c === '`') template(at + 1)
    else if (c === '}' && braces.at(-1) === 0) {
      braces.pop()
      template(at + 1)
    } else if (word !== undefined) {
      found.push({ kind: 'word', text: word, line })
      at += word.length
    } else {
      if (c === '{' && braces.length > 0) braces.push((braces.pop() ?? 0) + 1)
      if (c === '}' && braces.length > 0) braces.push((braces.pop() ?? 1) - 1)
      if (/\S/.test(c)) found.push({ kind: 'punctuation', text: c, line })
      countLines(at + 1)
    }
  }
  return found
}

/** Every module that a TypeScript or JavaScript source names, in order. Types count: a type import is a dependency too. */
export const importsOf = (source: string): Import[] => {
  const all = tokens(source)
  const found: Import[] = []
  all.forEach((token, i) => {
    if (token.kind !== 'word' || all[i - 1]?.text === '.') return
    const [next, argument, after] = [all[i + 1], all[i + 2], all[i + 3]]
    if ((token.text === 'from' || token.text === 'import') && next?.kind === 'string')
      found.push({ specifier: next.text, line: next.line })
    else if ((token.text === 'import' || token.text === 'require') && next?.text === '(' && argument !== undefined) {
      const plain = argument.kind === 'string' && (after?.text === ')' || after?.text === ',')
      if (plain) found.push({ specifier: argument.text, line: argument.line })
      else if (token.text === 'import') found.push({ specifier: undefined, line: token.line })
    }
  })
  return found
}
