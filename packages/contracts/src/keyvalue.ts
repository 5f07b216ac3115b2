export type Json = null | boolean | number | string | readonly Json[] | { readonly [k: string]: Json }
export type Awaitable<T> = T | Promise<T>

/** Small shared state, one name-space per plugin; every key ends. Lifetimes in milliseconds, greater than 0. */
export interface KeyValue {
  get(key: string): Awaitable<Json | undefined>
  set(key: string, value: Json, ttlMs: number): Awaitable<void>
  /** Add to a number (absent is 0) and return the sum. The lifetime counts from the first addition. */
  add(key: string, by: number, ttlMs: number): Awaitable<number>
  /** Set only if the present value equals `old`; `undefined` means absent. Says whether it did. */
  swap(key: string, old: Json | undefined, value: Json, ttlMs: number): Awaitable<boolean>
  delete(key: string): Awaitable<void>
}
