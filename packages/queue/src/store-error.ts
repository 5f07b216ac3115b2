export { asStoreError, isStoreError, storeError } from '@posthorn/queue-base'
