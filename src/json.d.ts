/** What Bun has and TypeScript's library lacks. Source: ECMAScript proposal "JSON.parse source text access". */
interface JSON {
  /** What stands in the output of `stringify` as this text, which must be a primitive value's JSON. */
  rawJSON(text: string): object;
}
