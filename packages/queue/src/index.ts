export { memoryDisk, memoryQueue } from './memory.ts'
export type { MemoryDisk } from './memory.ts'
export type { EmbeddedQueue } from './queue.ts'
