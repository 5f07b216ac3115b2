export { openPostgresQueue } from './open.ts'
export type { PostgresOptions } from './open.ts'
export type { PostgresQueue } from './queue.ts'
