import { change } from './change.ts'
import { claim, nextDue, renew } from './claim.ts'
import type { CheckSpool } from './claim.ts'
import { enqueue } from './enqueue.ts'
import { runKv } from './keyvalue.ts'
import type { Operation, SweepOp } from './operation.ts'
import { pause } from './pause.ts'
import { disown } from './recover.ts'
import { release, settle } from './settle.ts'
import { resume, suspend } from './suspend.ts'
import type { Work } from './work.ts'

/** One operation within the group's transaction; what it returns crosses the thread as JSON. */
export const runOperation = (work: Work, op: Exclude<Operation, SweepOp>, checkSpool: CheckSpool): unknown => {
  switch (op.do) {
    case 'enqueue':
      return enqueue(work, op, work.batch.contents[op.base ?? 0] ?? new Uint8Array())
    case 'settle':
      return settle(work, op)
    case 'claim':
      return claim(work, op, checkSpool)
    case 'renew':
      return renew(work, op)
    case 'release':
      return release(work, op)
    case 'pause':
      return pause(work, op)
    case 'disown':
      return disown(work, op)
    case 'nextDue':
      return nextDue(work)
    case 'change':
      return change(work, op)
    case 'suspend':
      return suspend(work, op)
    case 'resume':
      return resume(work, op)
    default:
      return runKv(work, op)
  }
}
