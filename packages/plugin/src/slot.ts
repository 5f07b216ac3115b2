/** A typed place for a plugin's state. It lives as long as the context it is set on: connection, transaction or delivery. */
export interface Slot<T> {
  readonly name: string
  /** Never present: carries the type. */
  readonly of?: (x: T) => T
}

/** Make a slot; export it, and other plugins can read what yours found. Names are for logs; identity is the object. */
export const slot = <T>(name: string): Slot<T> => Object.freeze({ name })

export interface Slots {
  get<T>(slot: Slot<T>): T | undefined
  set<T>(slot: Slot<T>, value: T): void
}

/** Slots on their own, to be spread into a context. What they lack is looked for in `parent`, whose lifetime is longer. */
export const newSlots = (parent?: Slots): Slots => {
  let values: Map<object, unknown> | undefined
  return {
    get: <T>(slot: Slot<T>): T | undefined =>
      values?.has(slot) === true ? (values.get(slot) as T) : parent?.get(slot),
    set: <T>(slot: Slot<T>, value: T): void => {
      values ??= new Map()
      values.set(slot, value)
    },
  }
}
