import type { RemoteReply } from '@posthorn/reply'
import { bounceRules } from './bounce-rules.ts'
import type { BounceRule } from './bounce-rules.ts'
import { safePattern } from './pattern.ts'

/** What is known of a failure: an Outcome fits. */
export interface Failure {
  readonly reply?: RemoteReply
  /** Enhanced code when there is no reply. */
  readonly status?: string
  readonly phase?: string
  readonly cause?: string
  /** Who said it, such as `mx.example.org[192.0.2.1]:25`. */
  readonly remote?: string
}

/** A class, and the name of the rule that chose it; `other` when none did. */
export interface Classified {
  readonly class: string
  readonly rule?: string
}
export type Classifier = (failure: Failure) => Classified

/** Characters of a peer's text that rules look at. */
const MOST_TEXT = 1000

const fitsStatus = (status: string, wanted: string): boolean => {
  const given = wanted.startsWith('x.') ? `x${status.slice(1)}` : status
  return given === wanted || (wanted.split('.').length === 2 && given.startsWith(`${wanted}.`))
}

/** What the conditions of rules are held against. */
interface Facts {
  readonly text: string
  readonly status: string
  readonly code: number | undefined
  readonly phase: string | undefined
  readonly host: string
}

const factsOf = ({ reply, status: given, phase, cause, remote }: Failure): Facts => {
  const status = reply?.enhanced ?? given ?? ''
  const said = reply === undefined ? (cause ?? '') : reply.lines.join(' ')
  return {
    text: `${reply?.code ?? ''} ${status} ${said.slice(0, MOST_TEXT)}`.slice(0, MOST_TEXT).toLowerCase().trim(),
    status,
    code: reply?.code,
    phase: reply === undefined ? phase : undefined,
    host: (remote ?? '').split(/[[:]/, 1)[0]?.toLowerCase().replace(/\.$/, '') ?? '',
  }
}

type Test = (facts: Facts) => boolean

const compile = ({ text, status, code, phase, provider }: BounceRule): Test => {
  const tests: Test[] = []
  if (code !== undefined) tests.push(facts => facts.code !== undefined && code.includes(facts.code))
  if (status !== undefined) tests.push(facts => status.some(wanted => fitsStatus(facts.status, wanted)))
  if (phase !== undefined) tests.push(facts => facts.phase !== undefined && phase.includes(facts.phase))
  if (provider !== undefined)
    tests.push(({ host }) => provider.some(domain => host === domain || host.endsWith(`.${domain}`)))
  if (text !== undefined) {
    const pattern = safePattern(text)
    if ('problem' in pattern) throw new RangeError(`the pattern ${JSON.stringify(text)}: ${pattern.problem}`)
    tests.push(facts => pattern.test(facts.text))
  }
  return facts => tests.every(test => test(facts))
}

/**
 * Make a classifier of rules, the first that fits counts; patterns are compiled here, once. Throws RangeError on a pattern that is refused:
 * `readRules` says of rules from outside what is wrong with them.
 */
export const createClassifier = (rules: readonly BounceRule[]): Classifier => {
  const compiled = rules.map(rule => ({ fits: compile(rule), found: { class: rule.class, rule: rule.name } }))
  return failure => {
    const facts = factsOf(failure)
    return compiled.find(({ fits }) => fits(facts))?.found ?? { class: 'other' }
  }
}

/** Name the reason why mail was not taken, for statistics and for back-off, by our own rules. */
export const classify: Classifier = createClassifier(bounceRules)

/** A reply's text with what differs from message to message taken out, so that statistics group. */
export const normaliseText = (text: string): string =>
  text
    .slice(0, MOST_TEXT)
    .replaceAll(/https?:\/\/[^\s>)]+/gi, '<url>')
    .replaceAll(/<?[^\s<>@]{1,64}@[^\s<>@]{1,255}>?/g, '<address>')
    .replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '<ip>')
    .replaceAll(/\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}\b/gi, '<ip>')
    .replaceAll(/\b(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*\b/g, '<id>')
    .replaceAll(/\s+/g, ' ')
    .trim()
