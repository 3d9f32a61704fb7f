import { Fault } from "#errors";
import { ExecutionProblem, jsonText, Template, TemplateProblem } from "#template";

/** One value by a `--format`: `json`, or a template; the text has its line end. */
export function renderOne(value: unknown, format: string): string {
  if (format === "json") return `${jsonText(value)}\n`;
  return `${renderTemplate(format, value)}\n`;
}

/** @throws Fault `invalid` in docker's wording when the template is wrong, or does not fit the value */
export function renderTemplate(format: string, value: unknown): string {
  return withTemplate(format, (template) => template.render(value));
}

const OBJECT_WORDS = { parse: "template parsing error", execute: "template parsing error" };

/** Compiles a template and uses it; both may fail, and then the words say which it was. */
export function withTemplate<T>(format: string, use: (template: Template) => T, words = OBJECT_WORDS): T {
  try {
    return use(new Template(format));
  } catch (cause) {
    if (cause instanceof TemplateProblem)
      throw new Fault("invalid", `${words.parse}: ${cause.message}`, { cause });
    if (cause instanceof ExecutionProblem)
      throw new Fault("invalid", `${words.execute}: ${cause.message}`, { cause });
    throw cause;
  }
}
