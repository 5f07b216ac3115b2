import { isDefer, isReject } from '@posthorn/reply'
import type { Defer, Reject } from '@posthorn/reply'

declare const passed: unique symbol
declare const permitted: unique symbol

/** No objection; the next plugin is asked. */
export interface Pass {
  readonly [passed]: true
}
/** This client may send to this recipient. Never ends the chain: a later plugin may still refuse. */
export interface Permit {
  readonly [permitted]: true
}
export const pass: Pass = Object.freeze({ verdict: 'pass' }) as unknown as Pass
export const permit: Permit = Object.freeze({ verdict: 'permit' }) as unknown as Permit

/** Refuse, for now or for good; or refuse and close the connection (421 or the given reply, then the end). */
export type Stop = Defer | Reject | { readonly hangUp: Defer | Reject }

const isRefusal = (x: unknown): x is Defer | Reject => isDefer(x) || isReject(x)

/** Whether an answer refuses. Only replies made by `defer` and `reject` count, never a look-alike. */
export const isStop = (x: unknown): x is Stop =>
  isRefusal(x) || (typeof x === 'object' && x !== null && 'hangUp' in x && isRefusal(x.hangUp))

/** The reply that a stop sends. */
export const stopReply = (stop: Stop): Defer | Reject => ('hangUp' in stop ? stop.hangUp : stop)
