import type { LogStream } from '@posthorn/journal'
import { formatOf, openOwner, type ListenerAddress, type QueueOwner, type Runnable } from '@posthorn/stack'
import type { OperationDeps } from './queue-operations.ts'
import { freePlaces } from './places.ts'
import type { Settings } from './settings.ts'
import { leavePlace, socketPlace, type SocketPlace } from './socket-place.ts'
import { WorkerProcess } from './worker-process.ts'
import type { StartOptions } from './start.ts'

/** A server of several processes: this one owns the queue, workers take mail in and deliver it. */
export class Crew implements Runnable {
  readonly #owner: QueueOwner
  readonly #place: SocketPlace
  readonly #settings: Settings
  readonly #options: StartOptions
  readonly #log: LogStream
  #workers: readonly WorkerProcess[] = []
  #stopped: Promise<void> | undefined

  private constructor(
    owner: QueueOwner,
    place: SocketPlace,
    o: { settings: Settings; options: StartOptions; log: LogStream },
  ) {
    this.#owner = owner
    this.#place = place
    this.#settings = o.settings
    this.#options = o.options
    this.#log = o.log
  }

  /** Open the state directory. Rejects as `createStack` does. */
  static async open(settings: Settings, options: StartOptions, log: LogStream): Promise<Crew> {
    const { config, state } = settings
    const place = socketPlace(state, 'queue.sock')
    try {
      const owner = await openOwner(config, { state, socket: place.path, logTo: log, json: options.json === true })
      return new Crew(owner, place, { settings, options, log })
    } catch (error) {
      leavePlace(place)
      throw error
    }
  }

  get queue(): QueueOwner['queue'] {
    return this.#owner.queue
  }
  get users(): QueueOwner['users'] {
    return this.#owner.users
  }
  get journal(): QueueOwner['journal'] {
    return this.#owner.journal
  }
  /** What an operator asks of the dispatchers, all of them. */
  readonly dispatchers: Required<Pick<OperationDeps, 'giveBack' | 'whyWait'>> = {
    giveBack: (site, why) => {
      for (const worker of this.#workers) worker.say({ giveBack: { site, why } })
    },
    whyWait: async held => {
      const answers = await Promise.all(this.#workers.map(worker => worker.whyWait(held)))
      return held.map((_, i) => answers.map(reasons => reasons[i]).find(reason => typeof reason === 'string'))
    },
  }

  async start(): Promise<Readonly<Record<string, ListenerAddress>>> {
    const { config, state } = this.#settings
    const { config: file, send, json } = this.#options
    const listeners = await freePlaces(config.listeners)
    const common = {
      of: config.workers,
      ...(file !== undefined && { config: file }),
      ...(send !== undefined && { send }),
      state,
      listeners,
      json: formatOf(config, { logTo: this.#log, json: json === true }) === 'json',
      socket: this.#place.path,
    }
    const { journal } = this.#owner
    this.#workers = Array.from({ length: config.workers }, (_, i) => {
      const order = { begin: { ...common, number: i + 1 } }
      return new WorkerProcess({ order, silenceMs: config.timeouts.worker, journal, log: this.#log })
    })
    try {
      await Promise.all(this.#workers.map(worker => worker.start()))
    } catch (error) {
      await this.stop(0)
      throw error
    }
    const addresses: Record<string, ListenerAddress> = {}
    for (const [name, place] of Object.entries(listeners)) if (place !== false) addresses[name] = place
    journal.event('service.ready', { listeners: addresses })
    return addresses
  }

  stop(graceMs = 0): Promise<void> {
    return (this.#stopped ??= this.#stop(graceMs))
  }

  async #stop(graceMs: number): Promise<void> {
    this.#owner.journal.event('service.draining', {})
    await Promise.all(this.#workers.map(worker => worker.stop(graceMs)))
    this.#owner.journal.event('service.stopped', {})
    await this.#owner.stop()
    leavePlace(this.#place)
  }
}
