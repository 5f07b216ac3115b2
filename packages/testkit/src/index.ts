export { manualClock, seededRandom } from './clock.ts'
export type { ManualClock } from './clock.ts'
