import type { Filter, Queue } from '@posthorn/contracts'
import { parseFilter } from '@posthorn/queue-filter'

export const filterOf = (text: string): Filter => {
  const parsed = parseFilter(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.filter
}

/** What operators list: of some there is much, of some nothing, and some no index answers. */
export const lists: readonly string[] = [
  '',
  'sender:s7@here.test',
  'sender:nobody@here.test',
  'rcpt:user77@dead.test',
  'rcpt:nobody@dead.test',
  'site:mx:d77.test',
  'site:mx:nowhere.test',
  'site~nowhere',
  'sender~nobody',
  'why~nothing',
  'user:nobody',
  'tag:nothing',
  'state:held',
  'age>119h',
  'age<1h',
]
const counts = ['site', 'sender', 'state'] as const

/** Each with its name, and whether it is the first page of a list, which people wait for. */
export const questions = (
  queue: Pick<Queue, 'list' | 'count'>,
): readonly { readonly name: string; readonly page: boolean; readonly ask: () => Promise<unknown> }[] => [
  ...lists.map(text => ({
    name: `list ${text}`,
    page: true,
    ask: () => queue.list(filterOf(text), { limit: 50 }),
  })),
  ...counts.map(by => ({ name: `count --by ${by}`, page: false, ask: () => queue.count({ and: [] }, by) })),
]
