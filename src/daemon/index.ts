export async function runDaemon(_words: readonly string[]): Promise<void> {}
