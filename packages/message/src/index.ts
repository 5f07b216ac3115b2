export { bodyOf } from './body.ts'
export type { Body } from './body.ts'
export type { HeaderField, Headers } from './headers.ts'
