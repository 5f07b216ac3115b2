export { createWaker } from '@posthorn/queue-base'
