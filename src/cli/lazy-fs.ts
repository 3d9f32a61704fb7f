/** Loaded when first needed: a command that reads and writes no file starts sooner by a tenth without it. */
export const fs = () => process.getBuiltinModule("node:fs");
