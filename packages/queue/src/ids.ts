export { createIds, formatId, keyAt, parseId } from '@posthorn/queue-base'
export type { Ids } from '@posthorn/queue-base'
