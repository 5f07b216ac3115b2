import { systemClock } from '@posthorn/system'
import type { Clock, EventName, Json, Journal, Level } from '@posthorn/contracts'
import { addFields, isPlain, type Fields } from './fields.ts'
import { jsonLine } from './json.ts'
import { LineSink, type LogStream } from './line-sink.ts'
import { textLine } from './text.ts'
import { isoPrinter } from './time.ts'

export interface JournalOptions {
  readonly stream: LogStream
  /** `json`: one object a line. `text`: one readable line, in colour on a terminal. */
  readonly format: 'json' | 'text'
  /** Less important events are not written. */
  readonly level: Level
  /** Of a terminal when absent: colour unless the environment says NO_COLOR. */
  readonly colour?: boolean
  readonly clock?: Clock
}

/** A journal that writes lines. */
export interface LogJournal extends Journal {
  /** Resolves when the stream has taken what was written so far. */
  flush(): Promise<void>
  /** Flush; later events are dropped. The stream stays open: it is the caller's. */
  close(): Promise<void>
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

type Write = (name: EventName, fields: Fields, level: Level) => void
/** Makes the writer for one set of bound fields. */
type Bind = (bound: Readonly<Record<string, Json>>) => Write

const textWriter =
  (sink: Pick<LineSink, 'write'>, iso: () => string, colour: boolean): Bind =>
  bound =>
  (name, fields, level) =>
    sink.write(textLine(iso(), level, name, addFields({ ...bound }, fields), colour))

const jsonWriter =
  (sink: Pick<LineSink, 'write'>, iso: () => string): Bind =>
  bound => {
    const alone = Object.keys(bound).length === 0
    return (name, fields, level) =>
      // Copying costs more than looking; what is absent is left out by JSON itself.
      sink.write(jsonLine(iso(), level, name, alone && isPlain(fields) ? fields : addFields({ ...bound }, fields)))
  }

const journalOf = (bind: Bind, least: number, bound: Readonly<Record<string, Json>>): Journal => {
  // Most sessions say little; what their writer costs is paid at the first event.
  let write: Write | undefined
  return {
    event(name, fields, level = 'info') {
      if (RANK[level] < least) return
      try {
        write ??= bind(bound)
        write(name, fields, level)
      } catch {
        // The contract: reporting never throws, whatever it was given.
      }
    },
    child: fields => journalOf(bind, least, addFields({ ...bound }, fields)),
  }
}

/** A journal that writes events as lines to a stream. A line leaves at once, those of the next 10 ms together. */
export const createJournal = (o: JournalOptions): LogJournal => {
  const clock = o.clock ?? systemClock
  const print = isoPrinter()
  const iso = (): string => print(clock.wall())
  const colour = o.colour ?? (o.stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '')
  const binder = (to: Pick<LineSink, 'write'>): Bind =>
    o.format === 'text' ? textWriter(to, iso, colour) : jsonWriter(to, iso)
  const sink = new LineSink(o.stream, lines => {
    let lost = ''
    binder({ write: line => (lost = line) })({})('error', { cause: 'log lines dropped', lines }, 'error')
    return lost
  })
  let closed = false
  const root = journalOf(binder({ write: line => void (closed || sink.write(line)) }), RANK[o.level], {})
  return {
    ...root,
    flush: () => sink.flush(),
    async close() {
      closed = true
      await sink.flush()
    },
  }
}
