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
