/** The argument vector that starts this very program again: the compiled executable, or bun with its source. */
export function selfCommand(args: readonly string[]): string[] {
  const isCompiled = import.meta.url.includes("$bunfs");
  if (isCompiled) return [process.execPath, ...args];
  return [process.execPath, new URL("../main.ts", import.meta.url).pathname, ...args];
}
