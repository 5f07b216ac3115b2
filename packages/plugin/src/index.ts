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
  Wait,
} from './hooks.ts'
export { pass, permit } from './verdict.ts'
export type { Pass, Permit, Stop } from './verdict.ts'
export { slot } from './slot.ts'
export type { Slot, Slots } from './slot.ts'
export type {
  Chain,
  Claimed,
  ClaimHook,
  DecideHook,
  Gathered,
  GatherHook,
  HookFailure,
  ObserveHook,
  OnVerdict,
} from './chain.ts'
