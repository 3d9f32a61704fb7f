export async function serveArchive(_words: readonly string[]): Promise<void> {}
