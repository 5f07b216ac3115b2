export const demo = (): void => undefined; export const addMailCommands = (_p: unknown): void => undefined; export const addDemoCommand = (_p: unknown): void => undefined
