export { definePlugin } from './hooks.ts'
export type {
  Edit,
  Egress,
  Ending,
  HookContext,
  HookFn,
  HookIn,
  HookMap,
  HookName,
  HookOut,
  Hooks,
  Host,
  Message,
  OnConnect,
  OnDelivery,
  OnEnqueue,
  OnHello,
  OnMail,
  OnRcpt,
  Plugin,
  PluginTransport,
  Recipient,
  Resolved,
  Seal,
  Wait,
} from './hooks.ts'
export { isStop, pass, permit, stopReply } from './verdict.ts'
export { policyFailure } from '@posthorn/reply'
export type { Pass, Permit, Stop } from './verdict.ts'
export { newSlots, slot } from './slot.ts'
export type { Slot, Slots } from './slot.ts'
export { Scope } from './scope.ts'
export { keepVerdict, Noting } from './noting.ts'
export type { SignalSource } from './scope.ts'
export { andThen, isPending } from './awaitable.ts'
export { Expander } from './expansion.ts'
export type { Expanded, ExpansionTerms } from './expansion.ts'
export { recipientsOf } from './answer.ts'
export { createChain } from './chain.ts'
export type {
  Chain,
  ChainOptions,
  Claimed,
  ClaimHook,
  DecideHook,
  Gathered,
  GatherHook,
  HookFailure,
  ObserveHook,
  OnError,
  OnVerdict,
} from './chain.ts'
export type { BoundTransport } from './provided.ts'
export type { Entry } from './setup.ts'
export { withoutHost } from './without-host.ts'
