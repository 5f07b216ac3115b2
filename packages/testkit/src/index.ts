export { manualClock, seededRandom } from './clock.ts'
export type { ManualClock } from './clock.ts'
export { byteByByte, parseTranscript, playTranscript, whole } from './transcript.ts'
export type { Cut, Subject, Transcript, TranscriptStep } from './transcript.ts'
