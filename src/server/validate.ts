import type { Context } from "hono";
import type { z } from "zod";
import { Fault } from "#errors";
import type { ServerEnv } from "./environment.ts";
import { parseJson } from "./json.ts";

/** No request body but a tar archive is anywhere near this, in bytes. */
const BODY_LIMIT = 4 * 1024 * 1024;

/** The query parameters, through their schema. Throws `invalid` naming the parameter. */
export function query<Schema extends z.ZodType>(c: Context<ServerEnv>, schema: Schema): z.output<Schema> {
  return through(schema, c.req.query(), "query parameter");
}

/** The JSON body, through its schema; an absent one counts as `{}`. Throws `invalid` naming the field. */
export async function body<Schema extends z.ZodType>(
  c: Context<ServerEnv>,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await readText(c.req.raw, BODY_LIMIT);
  if (text !== "") demandJson(c.req.header("content-type"));
  return through(schema, parseJson(text) ?? {}, "field");
}

/** Like `body`, for a route that cannot do without one. */
export async function requiredBody<Schema extends z.ZodType>(
  c: Context<ServerEnv>,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await readText(c.req.raw, BODY_LIMIT);
  if (text.trim() === "")
    throw new Fault("invalid", "Invalid JSON: got EOF while reading request body, which must not be empty");
  demandJson(c.req.header("content-type"));
  return through(schema, parseJson(text), "field");
}

/** The part of the path that names an object, decoded. */
export function named(c: Context<ServerEnv>, parameter: "id" | "name" | "parent" | "alias"): string {
  const text = c.req.param(parameter) ?? "";
  if (text === "" || text.includes("\0"))
    throw new Fault("invalid", "The name in the path must not be empty");
  return text;
}

function through<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join(".") ?? "";
  const where = path === "" ? "The request body is malformed" : `Invalid ${what} ${path}`;
  throw new Fault("invalid", `${where}: ${issue?.message ?? "malformed"}`);
}

function demandJson(contentType: string | undefined): void {
  const [type = ""] = (contentType ?? "").split(";");
  if (type.trim().toLowerCase() === "application/json") return;
  throw new Fault(
    "invalid",
    `Unsupported Content-Type header (${type.trim().slice(0, 100)}): must be 'application/json'`,
  );
}

/** At most `limit` bytes, whatever the Content-Length claims. */
async function readText(request: Request, limit: number): Promise<string> {
  const { body: stream } = request;
  if (stream === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > limit) throw new Fault("invalid", `The request body is larger than ${limit} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
