export { checkConfig, ConfigError, defineConfig } from './config.ts'
export type { ConfigProblem } from './config.ts'
export type { Config, ConfigInput, ServiceName } from './schema.ts'
