import { z } from "zod";

/** A schema of the API's description (Swagger 2.0), or one made of ours (JSON Schema): what both have. */
interface Shape {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly allOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly prefixItems?: readonly Shape[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly schema?: Shape }>>;
}

export interface Specification {
  readonly definitions: Readonly<Record<string, Shape>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/**
 * Where a reply's schema and what the API says of it part: a field that only one of them has, and one whose type
 * differs. That a value may be null is not compared: the description does not tell.
 */
export function differences(schema: z.ZodType, theirs: Shape, specification: Specification): string[] {
  const ours = z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) as Shape;
  return compare({ ours, theirs, path: "", specification });
}

interface Pair {
  readonly ours: Shape;
  readonly theirs: Shape;
  readonly path: string;
  readonly specification: Specification;
}

function compare({ ours, theirs, path, specification }: Pair): string[] {
  const options = (ours.anyOf ?? ours.oneOf ?? [ours]).filter(({ type }) => type !== "null");
  const there = resolved(theirs, specification);
  return [
    ...new Set(merged(options).flatMap((ours) => compareOne({ ours, theirs: there, path, specification }))),
  ];
}

/** Alternatives of an object are one object here, as they are in the description. */
function merged(options: readonly Shape[]): readonly Shape[] {
  if (options.length === 0 || options.some(({ properties }) => properties === undefined)) return options;
  return [{ type: "object", properties: Object.assign({}, ...options.map(({ properties }) => properties)) }];
}

function compareOne(pair: Pair): string[] {
  const { ours, theirs, path, specification } = pair;
  const [here, there] = [kindOf(ours), kindOf(theirs)];
  if (here === "any" || there === "any") return [];
  if (here !== there) return [`${path}: ${here} here, ${there} there`];
  if (here === "array") {
    const items = ours.items ?? ours.prefixItems?.[0] ?? {};
    return compare({ ours: items, theirs: theirs.items ?? {}, path: `${path}[]`, specification });
  }
  if (here !== "object") return [];
  return ours.properties === undefined || theirs.properties === undefined
    ? compareMaps(pair)
    : compareFields(pair);
}

function compareFields({ ours, theirs, path, specification }: Pair): string[] {
  const [here, there] = [ours.properties ?? {}, theirs.properties ?? {}];
  const only = (one: object, other: object, whose: string) =>
    Object.keys(one).flatMap((name) => (name in other ? [] : [`${path}.${name}: only ${whose}`]));
  const both = Object.entries(here).flatMap(([name, shape]) => {
    const other = there[name];
    return other === undefined
      ? []
      : compare({ ours: shape, theirs: other, path: `${path}.${name}`, specification });
  });
  return [...only(here, there, "here"), ...only(there, here, "there"), ...both];
}

/** A map on one side and fields on the other are compared by their values, where there is one kind of them. */
function compareMaps({ ours, theirs, path, specification }: Pair): string[] {
  const [here, there] = [ours.additionalProperties, theirs.additionalProperties];
  if (typeof here !== "object" || typeof there !== "object") return [];
  return compare({ ours: here, theirs: there, path: `${path}{}`, specification });
}

function kindOf({ type, properties, additionalProperties, ...shape }: Shape): string {
  const named = typeof type === "string" ? type : type?.find((name) => name !== "null");
  if (named === "integer") return "number";
  if (named !== undefined) return named;
  if (shape.const !== undefined) return typeof shape.const;
  if (shape.enum !== undefined) return typeof shape.enum[0];
  return properties !== undefined || additionalProperties !== undefined ? "object" : "any";
}

/** References followed, and the parts of a whole put together. */
function resolved(shape: Shape, specification: Specification): Shape {
  if (shape.$ref !== undefined)
    return resolved(specification.definitions[shape.$ref.split("/").at(-1) ?? ""] ?? {}, specification);
  if (shape.allOf === undefined) return shape;
  const parts = shape.allOf.map((part) => resolved(part, specification));
  const properties = Object.assign({}, ...parts.map((part) => part.properties ?? {}), shape.properties ?? {});
  return { ...Object.assign({}, ...parts), ...shape, type: "object", properties, allOf: undefined };
}
