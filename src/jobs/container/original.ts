/** Of an error that came while undoing after another: the other. */
export function original(thrown: unknown): unknown {
  return thrown instanceof SuppressedError ? original(thrown.suppressed) : thrown;
}
