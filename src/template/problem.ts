/** A template that cannot be parsed; the message is worded as Go's text/template words it. */
export class TemplateProblem extends Error {
  override readonly name = "TemplateProblem";

  constructor(line: number, reason: string) {
    super(`template: :${line}: ${reason}`);
  }
}

/** A template that failed while it was carried out. */
export class ExecutionProblem extends Error {
  override readonly name = "ExecutionProblem";

  constructor(
    { line, at }: { line: number; at: number },
    { shown, reason }: { shown: string; reason: string },
  ) {
    super(`template: :${line}:${at}: executing "" at <${shown}>: ${reason}`);
  }
}
