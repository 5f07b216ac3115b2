/** C0 and C1 controls and DEL, but tab and line feed; and the marks that turn the direction of text around. */
// oxlint-disable-next-line no-control-regex -- these are what is taken out
const HARMFUL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text from a message as a terminal may show it: no escape sequences, no reversed direction. Line endings become LF. */
export const forTerminal = (text: string): string => text.replaceAll('\r\n', '\n').replaceAll(HARMFUL, '\ufffd')

/** The same on one line. */
export const oneLine = (text: string): string => forTerminal(text).replaceAll(/\s+/g, ' ').trim()
