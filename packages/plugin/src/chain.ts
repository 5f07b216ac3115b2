import type { Awaitable, Verdict } from '@posthorn/contracts'
import type { HookContext, HookIn, HookMap, HookName, HookOut } from './hooks.ts'

type OfKind<K extends string> = { [H in HookName]: HookMap[H]['kind'] extends K ? H : never }[HookName]
export type DecideHook = OfKind<'decide'>
export type ClaimHook = OfKind<'claim'>
export type GatherHook = OfKind<'gather'>
export type ObserveHook = OfKind<'observe'>

/**
 * The plugins of one service, in order. Answers come synchronously when every plugin answered so.
 * A plugin that throws, is late or answers nonsense counts as `451 4.3.0`; nothing ever rejects.
 */
export interface Chain {
  /** Whether any plugin listens to this hook: lets callers skip the preparation. */
  has(hook: HookName): boolean
  /** The first stop ends it. For `rcpt` the answer is `permit` if any plugin permitted. */
  decide<H extends DecideHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<HookOut<H>>
  claim<H extends ClaimHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<Claimed<H>>
  gather<H extends GatherHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<Gathered<H>>
  observe<H extends ObserveHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): void
  /** EHLO keywords that plugins provide. */
  readonly ehlo: readonly string[]
  stop(): Promise<void>
}
/** A failed claim or gather is a value too. */
export interface HookFailure {
  readonly failed: true
  readonly plugin: string
}
export type Claimed<H extends ClaimHook> = HookOut<H> | HookFailure
export type Gathered<H extends GatherHook> = readonly NonNullable<HookOut<H>>[] | HookFailure
/** A verdict worth keeping; `pass` of a plugin that had nothing to say is not reported one by one. */
export type OnVerdict = (verdict: Verdict, ctx: object) => void
