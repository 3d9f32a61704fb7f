/** Docker's filters: key → values. Values of one key are alternatives, keys must all hold; labels must all hold. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** An id, a name or a unique prefix. */
export type Ref = { readonly ref: string };
