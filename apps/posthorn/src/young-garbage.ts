import { getHeapStatistics } from 'node:v8'

/** How often to look, in ms: a fast sender fills some MiB in the meantime. */
const lookEvery = 20
/** Octets of buffers that may pile up between two looks before they are collected. */
const allowed = 8 * 1024 * 1024

const outside = (): number => getHeapStatistics().external_memory

/**
 * Collect the buffers of large messages as they are done with. The engine counts small objects only, of which a buffer of 64 KiB is
 * one, and lets a hundred MiB of dead buffers lie before it looks. Does nothing where the collector is not exposed; small mail never
 * gets as far as a collection. The result ends it.
 */
export const collectYoungGarbage = (): (() => void) => {
  const { gc } = globalThis
  if (gc === undefined) return () => undefined
  let least = outside()
  const timer = setInterval(() => {
    const now = outside()
    least = Math.min(least, now)
    if (now - least < allowed) return
    gc({ type: 'minor' })
    least = outside()
  }, lookEvery)
  timer.unref()
  return () => clearInterval(timer)
}
