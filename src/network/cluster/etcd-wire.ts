import { z } from "zod";

/** Protobuf's int64 comes as text in JSON; revisions stay far below what a number holds. */
const Integer = z.union([z.string().regex(/^-?\d+$/), z.number()]).transform(Number);
/** Lease ids use all 63 bits. */
const LeaseId = z.union([z.string().regex(/^-?\d+$/), z.number().transform(String)]);
const Header = z.looseObject({ revision: Integer.default(0) });
const text = z.string().transform((value) => Buffer.from(value, "base64").toString());

const KeyValue = z.looseObject({
  key: text,
  value: text.default(""),
  mod_revision: Integer.default(0),
  create_revision: Integer.default(0),
});

export const RangeReply = z.looseObject({ header: Header, kvs: z.array(KeyValue).default([]) });
export const TxnReply = z.looseObject({
  header: Header,
  succeeded: z.boolean().default(false),
  responses: z
    .array(
      z.looseObject({ response_range: z.looseObject({ kvs: z.array(KeyValue).default([]) }).optional() }),
    )
    .default([]),
});
export const GrantReply = z.looseObject({ ID: LeaseId, TTL: Integer.default(0) });
export const KeepAliveReply = z.looseObject({ result: z.looseObject({ TTL: Integer.default(0) }) });
export const WatchReply = z.looseObject({
  result: z
    .looseObject({
      header: Header,
      created: z.boolean().default(false),
      canceled: z.boolean().default(false),
      cancel_reason: z.string().default(""),
      compact_revision: Integer.default(0),
      events: z
        .array(z.looseObject({ type: z.enum(["PUT", "DELETE"]).default("PUT"), kv: KeyValue }))
        .default([]),
    })
    .optional(),
  error: z.looseObject({ message: z.string().default("") }).optional(),
});
export const ErrorReply = z.looseObject({
  error: z.string().default(""),
  message: z.string().default(""),
  code: z.number().default(0),
});

export type KeyValue = z.infer<typeof KeyValue>;

export const encode = (value: string): string => Buffer.from(value).toString("base64");

/** The first key that does not start with the prefix. Source: etcd's API, "Key ranges". */
export function endOf(prefix: string): string {
  const bytes = Buffer.from(prefix);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1;
  return bytes.toString();
}

/** What must hold for a transaction. */
export type Condition =
  | { readonly kind: "absent"; readonly key: string }
  | { readonly kind: "none below"; readonly prefix: string }
  | { readonly kind: "unchanged"; readonly key: string; readonly modRevision: number }
  | { readonly kind: "value"; readonly key: string; readonly value: string };

export type Operation =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "delete below"; readonly prefix: string }
  | { readonly kind: "get"; readonly key: string };

export function conditionBody(condition: Condition): object {
  switch (condition.kind) {
    case "absent":
      return {
        key: encode(condition.key),
        target: "CREATE",
        result: "EQUAL",
        create_revision: "0",
      };
    case "none below":
      return {
        key: encode(condition.prefix),
        range_end: encode(endOf(condition.prefix)),
        target: "CREATE",
        result: "EQUAL",
        create_revision: "0",
      };
    case "unchanged":
      return {
        key: encode(condition.key),
        target: "MOD",
        result: "EQUAL",
        mod_revision: String(condition.modRevision),
      };
    case "value":
      return {
        key: encode(condition.key),
        target: "VALUE",
        result: "EQUAL",
        value: encode(condition.value),
      };
  }
}

export function operationBody(operation: Operation): object {
  switch (operation.kind) {
    case "put": {
      const { key, value, lease } = operation;
      return {
        request_put: { key: encode(key), value: encode(value), ...(lease !== undefined && { lease }) },
      };
    }
    case "delete":
      return { request_delete_range: { key: encode(operation.key) } };
    case "delete below": {
      const { prefix } = operation;
      return { request_delete_range: { key: encode(prefix), range_end: encode(endOf(prefix)) } };
    }
    case "get":
      return { request_range: { key: encode(operation.key) } };
  }
}
