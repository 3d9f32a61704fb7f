/** A word more than this many slips away is no typing error; a short word allows one alone. */
const SLIPS = 2;
const SHORT_LETTERS = 5;

/** The known word that was probably meant, whatever its case, if another is near enough; the word itself never is. */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  const limit = typed.length < 2 ? 0 : typed.length <= SHORT_LETTERS ? 1 : SLIPS;
  const folded = typed.length < 2 ? typed : typed.toLowerCase();
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const word of known) {
    if (word === typed) return undefined;
    // What others send may be of any length, and the table below is as large as both words multiplied.
    if (Math.abs(word.length - typed.length) > limit) continue;
    const distance = distanceOf(folded, word.toLowerCase());
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

/** What goes behind a sentence that refuses a word of a fixed set: `; did you mean always?`, or nothing. */
export function didYouMean(typed: string, known: Iterable<string>): string {
  const offered = nearest(typed, known);
  return offered === undefined ? "" : `; did you mean ${offered}?`;
}

/** How many letters must be put in, taken out, changed, or swapped with their neighbour. Source: Damerau and Levenshtein. */
function distanceOf(left: string, right: string): number {
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const isSame = left[i - 1] === right[j - 1];
      const change = (row[j - 1] ?? 0) + (isSame ? 0 : 1);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      const swap = isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[right.length] ?? 0;
}
