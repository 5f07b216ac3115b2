import type { Answer, Resolver } from '@posthorn/contracts'
import { askable, reverseName } from './name.ts'
import type { RecordType, RecordValue } from './record.ts'

/** Finds the records of a type that a name has; the name is undefined when it cannot exist. */
export type Resolve = <T extends RecordType>(
  name: string | undefined,
  type: T,
  signal?: AbortSignal,
) => Promise<Answer<RecordValue[T]>>

/** What may be asked of a resolver, each question by its name and type. */
export const questions = (resolve: Resolve): Resolver => ({
  mx: (name, signal) => resolve(askable(name), 'MX', signal),
  a: (name, signal) => resolve(askable(name), 'A', signal),
  aaaa: (name, signal) => resolve(askable(name), 'AAAA', signal),
  txt: (name, signal) => resolve(askable(name), 'TXT', signal),
  ptr: (ip, signal) => resolve(reverseName(ip), 'PTR', signal),
  tlsa: (name, signal) => resolve(askable(name), 'TLSA', signal),
})
