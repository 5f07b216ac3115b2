import { styleText } from 'node:util'

/** How a command speaks: plain text for people, or one JSON value a line for machines. */
export interface Terminal {
  readonly json: boolean
  /** A value for machines; people see nothing of it. */
  value(value: unknown): void
  /** A line for people; machines see nothing of it. */
  line(text?: string): void
  /** Columns with a heading. Cells are made printable: what strangers wrote must not steer a terminal. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void
  bold(text: string): string
  dim(text: string): string
}

const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
// C0, DEL and C1 controls: the bytes with which text can take over a terminal.
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f]/g

/** Text with control characters made visible. */
export const printable = (text: string): string =>
  text.replace(controls, c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)

export const terminal = (json: boolean): Terminal => ({
  json,
  value: value => void (json && process.stdout.write(`${JSON.stringify(value)}\n`)),
  line: (text = '') => void (json || process.stdout.write(`${text}\n`)),
  table(head, rows) {
    if (json) return
    const cells = rows.map(row => row.map(printable))
    const widths = head.map((h, i) => Math.max(h.length, ...cells.map(row => row[i]?.length ?? 0)))
    const print = (row: readonly string[]): string =>
      row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ')
    process.stdout.write(`${this.bold(print(head))}\n${cells.map(row => `${print(row)}\n`).join('')}`)
  },
  bold: text => (colour ? styleText('bold', text) : text),
  dim: text => (colour ? styleText('dim', text) : text),
})

/** `just now`, `5m`, `3h`, `2d`: how long ago, or until, in one unit. */
export const span = (ms: number): string => {
  const s = Math.abs(ms) / 1000
  if (s < 1) return '0s'
  if (s < 120) return `${Math.round(s)}s`
  if (s < 7200) return `${Math.round(s / 60)}m`
  return s < 172_800 ? `${Math.round(s / 3600)}h` : `${Math.round(s / 86_400)}d`
}

/** Octets for people. */
export const octets = (n: number): string =>
  n < 1024 ? `${n} B` : n < 1024 ** 2 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 ** 2).toFixed(1)} MiB`
