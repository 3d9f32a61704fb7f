/**
 * What is not there is no error. Anything else is, too many open files and a failing disk first of all: garbage would
 * be collected by a list that is empty only for them.
 */
export function undefinedIfMissing(thrown: NodeJS.ErrnoException): undefined {
  if (thrown.code !== "ENOENT" && thrown.code !== "ENOTDIR") throw thrown;
}

export function noneIfMissing(thrown: NodeJS.ErrnoException): [] {
  undefinedIfMissing(thrown);
  return [];
}
