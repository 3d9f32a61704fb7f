/** Sorts names as people count: `net2` before `net10`. Source: the order of docker's lists. */
export function byName<Row extends { readonly Name: string }>(left: Row, right: Row): number {
  return compareNatural(left.Name, right.Name);
}

export function compareNatural(left: string, right: string): number {
  const [lefts, rights] = [left, right].map((text) => text.match(/\d+|\D+/g) ?? []);
  for (const [at, part] of (lefts ?? []).entries()) {
    const other = rights?.[at];
    if (other === undefined) return 1;
    if (part === other) continue;
    const bothCount = /^\d/.test(part) && /^\d/.test(other);
    if (bothCount && BigInt(part) !== BigInt(other)) return BigInt(part) < BigInt(other) ? -1 : 1;
    return part < other ? -1 : 1;
  }
  return (lefts?.length ?? 0) - (rights?.length ?? 0);
}
