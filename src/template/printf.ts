import { isRecord, jsonText, textOf } from "./value.ts";

const DIRECTIVE = /%(?<flags>[-+# 0]*)(?<width>\d+|\*)?(?:\.(?<precision>\d+|\*)?)?(?<verb>[a-zA-Z%])/g;

/** Go's Sprintf for the verbs that templates use: v s q d x X f e g t c U o b T. Source: Go, package fmt. */
export function sprintf(format: string, values: readonly unknown[]): string {
  let used = 0;
  const next = () => values[used++];
  const text = format.replace(DIRECTIVE, (whole, ...rest) => {
    const groups: Readonly<Record<string, string | undefined>> = rest.at(-1);
    const { flags = "", verb = "" } = groups;
    if (verb === "%") return "%";
    const width = groups.width === "*" ? Number(next()) : Number(groups.width ?? 0);
    const isPrecise = whole.includes(".");
    const precision = groups.precision === "*" ? Number(next()) : Number(groups.precision ?? 0);
    if (used >= values.length) return `%!${verb}(MISSING)`;
    const body = verbText(verb, next(), { flags, precision: isPrecise ? precision : undefined });
    return pad(body, { width, flags });
  });
  const extra = values.slice(used).map((value) => `${goType(value)}=${textOf(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

function verbText(
  verb: string,
  value: unknown,
  how: { flags: string; precision: number | undefined },
): string {
  switch (verb) {
    case "v":
    case "s":
      return cut(how.flags.includes("#") && verb === "v" ? jsonText(value) : textOf(value), how.precision);
    case "q":
      return typeof value === "number" ? `'${String.fromCodePoint(value)}'` : JSON.stringify(textOf(value));
    case "t":
      return typeof value === "boolean" ? String(value) : bad(verb, value);
    case "T":
      return goType(value);
    case "c":
      return typeof value === "number" ? String.fromCodePoint(value) : bad(verb, value);
    case "x":
    case "X":
      return hexadecimal(verb, value, how.flags);
    default:
      return typeof value === "number" ? numeric(verb, value, how) : bad(verb, value);
  }
}

function numeric(
  verb: string,
  value: number,
  { flags, precision }: { flags: string; precision: number | undefined },
): string {
  const sign = flags.includes("+") && value >= 0 ? "+" : flags.includes(" ") && value >= 0 ? " " : "";
  if (verb === "d") return Number.isInteger(value) ? sign + textOf(value) : bad(verb, value);
  if (verb === "o" || verb === "b") return sign + value.toString(verb === "o" ? 8 : 2);
  if (verb === "U") return `U+${value.toString(16).toUpperCase().padStart(4, "0")}`;
  if (verb === "f" || verb === "F") return sign + value.toFixed(precision ?? 6);
  if (verb === "e" || verb === "E")
    return sign + value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, "e$10$2");
  if (verb === "g" || verb === "G")
    return (
      sign + (precision === undefined ? textOf(value) : textOf(Number(value.toPrecision(precision || 1))))
    );
  return bad(verb, value);
}

function hexadecimal(verb: string, value: unknown, flags: string): string {
  const prefix = flags.includes("#") ? "0x" : "";
  const text = typeof value === "number" ? value.toString(16) : Buffer.from(textOf(value)).toString("hex");
  return prefix + (verb === "X" ? text.toUpperCase() : text);
}

function pad(text: string, { width, flags }: { width: number; flags: string }): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0")) return " ".repeat(missing) + text;
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  return sign + "0".repeat(missing) + digits;
}

const cut = (text: string, precision: number | undefined) =>
  precision === undefined ? text : [...text].slice(0, precision).join("");

const bad = (verb: string, value: unknown) => `%!${verb}(${goType(value)}=${textOf(value)})`;

function goType(value: unknown): string {
  if (value === undefined || value === null) return "<nil>";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (Array.isArray(value)) return "[]interface {}";
  return isRecord(value) ? "map[string]interface {}" : "string";
}
