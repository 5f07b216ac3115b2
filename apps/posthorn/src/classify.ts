import { bounceClassifier, type Config } from '@posthorn/stack'
import { terminal } from './terminal.ts'

/** What `posthorn check --classify` is asked. */
export interface ClassifyOptions {
  readonly classify?: string
  readonly from?: string
  readonly json?: boolean
}

/** What a server said, as the client would have read it; what is no reply is a cause in our own words. */
const failureOf = (text: string): Parameters<ReturnType<typeof bounceClassifier>>[0] => {
  const [, code, enhanced, said = ''] =
    /^([45]\d\d)(?:[ -]([45]\.\d{1,3}\.\d{1,3})\b)?[ -]?(.*)$/s.exec(text.trim()) ?? []
  if (code === undefined) return { cause: text }
  return { reply: { code: Number(code), lines: [said], ...(enhanced === undefined ? {} : { enhanced }) } }
}

/** `posthorn check --classify`: the class of a bounce, and the rule that says so. */
export const classify = (config: Config, o: ClassifyOptions & { readonly classify: string }): void => {
  const found = bounceClassifier(config)({
    ...failureOf(o.classify),
    ...(o.from === undefined ? {} : { remote: o.from }),
  })
  const out = terminal(o.json === true)
  out.value({ class: found.class, rule: found.rule ?? null })
  out.line(found.rule === undefined ? `${found.class}  no rule knows it` : `${found.class}  by the rule ${found.rule}`)
}
