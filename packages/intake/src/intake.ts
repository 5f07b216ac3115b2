import type { Intake } from '@posthorn/contracts'
import { storeFailure } from './options.ts'
import type { IntakeOptions } from './options.ts'
import { QueueReception } from './reception.ts'

/** The intake of a service whose mail goes into the queue. Its replies of success leave only after the commit. */
export const createIntake = (o: IntakeOptions): Intake => ({
  begin: transaction => {
    try {
      return new QueueReception(transaction, o.queue.begin(transaction.size), o)
    } catch (error) {
      return storeFailure(o.journal, 'intake begin', error)
    }
  },
})
