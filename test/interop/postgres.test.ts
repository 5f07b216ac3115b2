import type { Journal } from '@posthorn/contracts'
import { openPostgresQueue } from '@posthorn/queue-postgres'
import type { PostgresQueue } from '@posthorn/queue-postgres'
import { keyValueContract, manualClock, queueContract, seededRandom } from '@posthorn/testkit'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { postgresSuite } from '../peers/needs.ts'
import { startPostgres } from '../peers/postgres.ts'
import type { Postgres } from '../peers/postgres.ts'
import { teardown } from '../peers/teardown.ts'

type Events = { readonly name: string; readonly fields: { readonly [k: string]: unknown } }[]
const journalOf = (events: Events): Journal => ({
  event: (name, fields) => {
    events.push({ name, fields: JSON.parse(JSON.stringify(fields)) as { readonly [k: string]: unknown } })
  },
  child: () => journalOf(events),
})

postgresSuite('the queue on PostgreSQL', () => {
  const undo = teardown()
  let server: Postgres
  let url = ''
  beforeAll(async () => {
    server = await startPostgres({ fast: true })
    undo(() => server.stop())
    url = await server.database()
  })

  const opened: PostgresQueue[] = []
  let schemas = 0
  afterEach(async () => {
    for (const queue of opened.splice(0)) await queue.close()
  })

  /** A queue in a schema of its own, whose database clock the test moves. */
  const world = async () => {
    const schema = `q${++schemas}`
    const clock = manualClock()
    const events: Events = []
    const random = seededRandom(schemas)
    const setClock = async (): Promise<void> => {
      await server.sql(url, `update ${schema}.clock set now = ${clock.wall()}`)
    }
    const open = async (): Promise<PostgresQueue> => {
      const queue = await openPostgresQueue({ url, schema, clock, random, journal: journalOf(events) })
      opened.push(queue)
      return queue
    }
    await (await open()).close()
    await server.sql(
      url,
      `create table ${schema}.clock(now bigint); insert into ${schema}.clock values(${clock.wall()});
       create or replace function ${schema}.now_ms() returns bigint language sql volatile as $$ select now from ${schema}.clock $$`,
    )
    const advance = async (ms: number): Promise<void> => {
      await clock.advance(ms)
      await setClock()
    }
    return { open, clock, advance, events }
  }

  describe('the queue contract', () => {
    test.each(queueContract)('$name', async ({ run }) => {
      const { open, clock, advance, events } = await world()
      const queue = await open()
      const under = {
        queue,
        events,
        wall: () => clock.wall(),
        advance,
        reopen: async () => {
          await queue.close()
          return open()
        },
      }
      await expect(run(under)).resolves.toBeUndefined()
    })
  })

  describe('the key-value contract', () => {
    test.each(keyValueContract)('$name', async ({ run }) => {
      const { open, advance } = await world()
      const queue = await open()
      await expect(
        run({ one: queue.keyValue('one'), other: queue.keyValue('other'), advance }),
      ).resolves.toBeUndefined()
    })
  })
})
