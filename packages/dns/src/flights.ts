/** Equal work in progress is shared: who asks second waits for the first. */
export interface Flights<T> {
  /** Rejects with the signal's reason at once; the work goes on as long as anybody waits for it. */
  join(key: string, start: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Abort all. */
  abort(reason: Error): void
}

interface Flight<T> {
  readonly landed: Promise<T>
  readonly controller: AbortController
  waiting: number
}

export const createFlights = <T>(): Flights<T> => {
  const flights = new Map<string, Flight<T>>()
  const launch = (key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const controller = new AbortController()
    const forget = (): void => {
      if (flights.get(key) === flight) flights.delete(key)
    }
    const landed = start(controller.signal).finally(forget)
    // Nobody may be waiting any more when it fails.
    landed.catch(() => undefined)
    const flight: Flight<T> = { landed, controller, waiting: 0 }
    flights.set(key, flight)
    return flight
  }
  const leave = (key: string, flight: Flight<T>): void => {
    if (--flight.waiting > 0 || flights.get(key) !== flight) return
    flights.delete(key)
    flight.controller.abort(new Error('nobody waits for this answer any more'))
  }
  return {
    join: (key, start, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        const flight = flights.get(key) ?? launch(key, start)
        flight.waiting++
        const done = (): void => {
          signal?.removeEventListener('abort', onAbort)
          leave(key, flight)
        }
        const onAbort = (): void => {
          done()
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        flight.landed.then(
          value => (done(), resolve(value)),
          (error: unknown) => (done(), reject(error)),
        )
      }),
    abort: reason => {
      for (const flight of flights.values()) flight.controller.abort(reason)
    },
  }
}
