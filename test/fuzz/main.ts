import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Chance } from './chance.ts'
import { mutated } from './mutate.ts'
import { seedsOf, targets, type Target } from './target.ts'

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    only: { type: 'string' },
    input: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run test:fuzz -- [--minutes N] [--seed N] [--only ${targets.map(t => t.name).join('|')}]
Throws changed inputs at everything that reads octets from others. What throws, hangs or grows is saved in test/fuzz/corpus and fails.
--seed N       the run with this seed again (each run prints its own)
--input FILE   one input again, with --only
--keep         save inputs that went a way of their own, for the next runs`)
  process.exit(0)
}

const minutes = Number(flags.minutes)
if (!(minutes > 0 && minutes <= 10_000)) throw new Error('--minutes takes a number above 0')
const seed = flags.seed === undefined ? Date.now() % 4_294_967_296 : Number(flags.seed)
const chosen = targets.filter(target => flags.only === undefined || target.name === flags.only)
if (chosen.length === 0) throw new Error(`--only takes one of ${targets.map(t => t.name).join(', ')}`)

/** An input may take so long on a busy machine; the slowest takes some milliseconds. */
const LONGEST_MS = 10_000
/** What all the runs together may keep in memory. */
const MOST_GROWTH = 64 * 1024 * 1024
const MOST_KEPT = 500
const MOST_OCTETS = 2048
/** Of one target, in the corpus; more would slow every run down. */
const MOST_FILES = 24

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const corpusOf = (target: Target): string => join(import.meta.dirname, 'corpus', target.name)

/** What is thrown at one target: its seeds, its files, and what went a new way. */
class Bout {
  readonly target: Target
  readonly corpus: Uint8Array[]
  /** Of its own, so that the inputs of a seed come in the same order, however fast the others are. */
  readonly chance: Chance
  readonly #ways = new Set<string>()
  #files: number
  runs = 0

  constructor(target: Target) {
    this.target = target
    this.chance = new Chance(seed ^ createHash('sha256').update(target.name).digest().readUInt32BE(0))
    const directory = corpusOf(target)
    const files = existsSync(directory) ? readdirSync(directory).toSorted() : []
    this.#files = files.length
    this.corpus = [...seedsOf(target), ...files.map(file => readFileSync(join(directory, file)))]
  }
  get ways(): number {
    return this.#ways.size
  }
  /** Rejects with what was wrong. */
  async once(input: Uint8Array, inputSeed: number): Promise<void> {
    this.runs += 1
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${LONGEST_MS} ms`)), LONGEST_MS)
    })
    const began = performance.now()
    try {
      const way = await Promise.race([this.target.run(input, new Chance(inputSeed)), late])
      this.#keep(way, input)
    } finally {
      clearTimeout(timer)
    }
    // What never yields cannot be interrupted, but it can be found out.
    if (performance.now() - began > LONGEST_MS) throw new Error(`took more than ${LONGEST_MS} ms`)
  }
  #keep(way: string, input: Uint8Array): void {
    const short = way.slice(0, 200)
    if (this.#ways.has(short) || this.#ways.size >= MOST_KEPT) return
    this.#ways.add(short)
    if (this.runs <= this.corpus.length || input.length > MOST_OCTETS) return
    this.corpus.push(Uint8Array.from(input))
    if (flags.keep && this.#files < MOST_FILES) {
      this.#files += 1
      save(this.target, 'way', input)
    }
  }
}

const save = (target: Target, kind: 'way' | 'fault', input: Uint8Array): string => {
  const directory = corpusOf(target)
  mkdirSync(directory, { recursive: true })
  const name = `${kind}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`
  writeFileSync(join(directory, name), input)
  return join('test/fuzz/corpus', target.name, name)
}

const heapNow = (): number => {
  collect()
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
}

/** The last input, for faults that come out of nowhere. */
let current: { readonly target: Target; readonly input: Uint8Array; readonly seed: number } | undefined
const failed = (error: unknown): never => {
  console.error(error)
  if (current !== undefined) {
    const file = save(current.target, 'fault', current.input)
    console.error(
      `\n${current.target.name}: npm run test:fuzz -- --only ${current.target.name} --input ${file} --seed ${current.seed}`,
    )
  }
  process.exit(1)
}
process.on('uncaughtException', failed)
process.on('unhandledRejection', failed)

const bouts = chosen.map(target => new Bout(target))
const attempt = async (bout: Bout, input: Uint8Array, inputSeed: number): Promise<void> => {
  current = { target: bout.target, input, seed: inputSeed }
  await bout.once(input, inputSeed).catch(failed)
}
const another = ({ corpus, chance, target }: Bout): Uint8Array => mutated(corpus, chance, target.tokens)
const chanceSeed = (bout: Bout): number => bout.chance.below(2 ** 32)

if (flags.input !== undefined) {
  for (const bout of bouts) await attempt(bout, readFileSync(flags.input), seed)
  console.log('nothing wrong')
  process.exit(0)
}

const began = performance.now()
const end = began + minutes * 60_000
for (const bout of bouts) for (const input of bout.corpus) await attempt(bout, input, chanceSeed(bout))
for (const bout of bouts) for (let i = 0; i < 20; i++) await attempt(bout, another(bout), chanceSeed(bout))
const before = heapNow()
for (let round = 1; performance.now() < end; round++) {
  // The quick ones get more turns in the same time.
  for (const bout of bouts)
    for (const until = performance.now() + 50; performance.now() < until;)
      await attempt(bout, another(bout), chanceSeed(bout))
  const growth = round % 20 === 0 ? heapNow() - before : 0
  if (growth > MOST_GROWTH) failed(new Error(`memory has grown by ${growth} octets`))
}
const grown = Math.round((heapNow() - before) / 1024)
for (const { target, runs, ways } of bouts)
  console.log(`${target.name.padEnd(12)}${String(runs).padStart(9)} inputs${String(ways).padStart(6)} ways`)
console.log(
  `nothing wrong in ${Math.round((performance.now() - began) / 1000)} s; seed ${seed}; memory ${grown >= 0 ? '+' : ''}${grown} KiB`,
)
process.exit(0)
