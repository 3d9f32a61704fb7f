export async function runCli(_words: readonly string[]): Promise<number> {
  return 0;
}
