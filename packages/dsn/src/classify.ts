import type { RemoteReply } from '@posthorn/reply'
import { bounceRules } from './bounce-rules.ts'
import type { BounceClass, BounceRule } from './bounce-rules.ts'

/** What is known of a failure: an Outcome fits. */
export interface Failure {
  readonly reply?: RemoteReply
  /** Enhanced code when there is no reply. */
  readonly status?: string
  readonly phase?: string
  readonly cause?: string
}

/** A class, and the rule that chose it: its index in the table; -1 when none did. */
export interface Classified<C extends string = BounceClass> {
  readonly class: C | 'other'
  readonly rule: number
}

/** Octets of a peer's text that rules look at. */
const MOST_TEXT = 1000

const fitsStatus = (status: string, wanted: string): boolean => {
  const given = wanted.startsWith('x.') ? `x${status.slice(1)}` : status
  return given === wanted || (wanted.split('.').length === 2 && given.startsWith(`${wanted}.`))
}

/**
 * Name the reason why mail was not taken, for statistics and for back-off. Put rules of your own before `bounceRules`; their
 * patterns see at most 1,000 characters.
 */
export const classify = <C extends string = BounceClass>(
  failure: Failure,
  rules: readonly BounceRule<C>[] = bounceRules as readonly BounceRule<C>[],
): Classified<C> => {
  const { reply, phase, cause } = failure
  const status = reply?.enhanced ?? failure.status ?? ''
  const said = reply === undefined ? (cause ?? '') : reply.lines.join(' ')
  const text = `${reply?.code ?? ''} ${status} ${said.slice(0, MOST_TEXT)}`.toLowerCase().trim()
  const rule = rules.findIndex(
    r =>
      (r.text === undefined || r.text.test(text)) &&
      (r.status === undefined || r.status.some(wanted => fitsStatus(status, wanted))) &&
      (r.code === undefined || (reply !== undefined && r.code.includes(reply.code))) &&
      (r.phase === undefined || (reply === undefined && phase !== undefined && r.phase.includes(phase))),
  )
  return { class: rules[rule]?.class ?? 'other', rule }
}

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
