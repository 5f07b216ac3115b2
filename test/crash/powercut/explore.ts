import { Worker } from 'node:worker_threads'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '@posthorn/testkit'
import { check, type Finding } from './check.ts'
import { Disk, type Image } from './disk.ts'
import { noPromises, promise } from './promises.ts'
import type { Recording } from './record.ts'
import { everything, nothing, survivalOf } from './survival.ts'
import { readTrace, stringsOf, type Call } from './trace.ts'

/** Which images are made. */
export interface Plan extends Recording {
  readonly seed: number
  /** At one call in so many: all kept, and one torn. At every sync: nothing kept, and `torn` torn ones, which may be a fraction. */
  readonly every: number
  readonly torn: number
  /** This one's part of the images, of so many. */
  readonly part: number
  readonly parts: number
  /** Where images are put; a file system in memory. */
  readonly scratch: string
  /** Syncs of these paths do nothing: the proof that each kind matters. */
  readonly ignoreSync?: RegExp
  /** End at the first finding. */
  readonly first?: boolean
}

export interface Explored {
  readonly calls: number
  readonly syncs: number
  readonly images: number
  readonly findings: readonly (Finding & { readonly at: string })[]
}

const put = (image: Image, directory: string): void => {
  for (const [path, content] of image)
    if (path.endsWith('/')) mkdirSync(join(directory, path), { mode: 0o700 })
    else writeFileSync(join(directory, path), content, { mode: 0o600 })
}

/** What a call on the standard output says. */
const said = (call: Call): readonly string[] =>
  call.name === 'write' && call.args.startsWith('1,') ? String(stringsOf(call.args)[0]).trim().split('\n') : []

/** Go through a recording and pull the plug at each of the planned moments, always just before the disk changes again. */
export const explore = async (plan: Plan): Promise<Explored> => {
  const random = seededRandom(plan.seed)
  const disk = new Disk(plan)
  const promised = noPromises()
  const findings: (Finding & { at: string })[] = []
  let [calls, syncs, images, turn] = [0, 0, 0, 0]

  const pull = async (what: string, survival: typeof nothing): Promise<void> => {
    if (turn++ % plan.parts !== plan.part) return
    const image = disk.image(survival)
    const directory = mkdtempSync(join(plan.scratch, 'image-'))
    put(image, directory)
    images++
    const found = await check(directory, promised)
    rmSync(directory, { recursive: true })
    const at = `call ${calls}, ${what}`
    findings.push(...found.map(finding => ({ ...finding, at })))
  }
  /** Pull the plug before this edge, if it is one that matters. */
  const before = async (call: Call, at: 'begin' | 'end'): Promise<void> => {
    const effect = disk.effect({ at, call })
    if (effect === 'sync') {
      syncs++
      await pull(`nothing kept before ${call.name} ended`, nothing)
      for (let n = 0; n < plan.torn; n++)
        await pull(`torn ${n} before ${call.name} ended`, survivalOf(random, disk.changes))
    } else if (effect === 'change' && ++calls % plan.every === 0) {
      await pull(`all kept before ${call.name}`, everything)
      await pull(`torn before ${call.name}`, survivalOf(random, disk.changes))
    }
  }

  for (const path of plan.traces) {
    disk.newProcess()
    for (const edge of readTrace(path)) {
      if (plan.first === true && findings.length > 0) break
      await before(edge.call, edge.at)
      // Who reads the line may act on it from the moment at which the call began.
      if (edge.at === 'begin') for (const line of said(edge.call)) promise(promised, line)
      disk.feed(edge)
    }
  }
  await pull('nothing kept at the end', nothing)
  await pull('all kept at the end', everything)
  return { calls, syncs, images, findings }
}

/** The same in as many threads as there are parts. */
export const exploreAll = async (plan: Omit<Plan, 'part'>): Promise<Explored> => {
  const parts = await Promise.all(
    Array.from(
      { length: plan.parts },
      (_, part) =>
        new Promise<Explored>((resolve, reject) => {
          const worker = new Worker(new URL('./explore-worker.ts', import.meta.url), {
            workerData: { ...plan, part },
            // Each image starts the store's threads anew, which is mostly the reading of their sources.
            env: { ...process.env, NODE_COMPILE_CACHE: join(plan.scratch, 'compiled') },
          })
          worker.once('message', resolve)
          worker.once('error', reject)
          worker.once('exit', code => reject(new Error(`the explorer ended with ${code}`)))
        }),
    ),
  )
  const [first] = parts
  return {
    calls: first?.calls ?? 0,
    syncs: first?.syncs ?? 0,
    images: parts.reduce((sum, part) => sum + part.images, 0),
    findings: parts.flatMap(part => part.findings),
  }
}
