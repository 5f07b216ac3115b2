// A process that compacts a queue, to be killed.
import { compactQueue } from '../src/index.ts'

console.log(JSON.stringify(await compactQueue(process.argv[2] ?? '')))
