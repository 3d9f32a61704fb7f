import { hostname } from "node:os";
import type { Container } from "#container";
import { Fault, sentenceOf } from "#errors";
import { Template } from "#template";
import { LinearPattern } from "./pattern/index.ts";

/** What all attributes together may come to: each message carries them. */
const MOST_BYTES = 512 * 1024;
/** Characters of names that a pattern is held against. */
const MOST_SEARCHED = 128 * 1024;
const SHORT_ID = 12;

export type Logged = Pick<
  Container,
  "id" | "name" | "created" | "spec" | "path" | "args" | "effective" | "imageId"
>;

/** Labels and environment that the options choose, by key; of two of a name the environment's counts. */
export function chosenAttributes(
  container: Logged,
  rename: (key: string) => string = (key) => key,
): Readonly<Record<string, string>> {
  const { options } = container.spec.host.logConfig;
  const { labels, env } = container.effective;
  const variables = Object.fromEntries(
    env.flatMap((text) => {
      const [, key, value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value]];
    }),
  );
  const chosen = new Map<string, string>();
  for (const [from, names, pattern] of [
    [labels, options.labels, options["labels-regex"]],
    [variables, options.env, options["env-regex"]],
  ] as const)
    for (const key of chosenKeys(from, names, pattern)) chosen.set(rename(key), from[key] ?? "");
  return bounded(Object.fromEntries([...chosen].sort(([a], [b]) => (a < b ? -1 : 1))));
}

function chosenKeys(from: Readonly<Record<string, string>>, names = "", pattern = ""): readonly string[] {
  const named = names.split(",").filter((name) => Object.hasOwn(from, name));
  if (pattern === "") return named;
  const expression = new LinearPattern(pattern);
  const keys = Object.keys(from);
  const length = keys.reduce((sum, key) => sum + key.length, 0);
  if (length > MOST_SEARCHED)
    throw new Fault(
      "invalid",
      `failed to initialize logging driver: the names of the container's labels or variables come to ${length} characters, too many to search; name those to be logged instead of a pattern`,
    );
  return [...named, ...keys.filter((key) => expression.isIn(key))];
}

function bounded(attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const bytes = Object.entries(attributes)
    .flat()
    .map((text) => Buffer.byteLength(text));
  const sum = bytes.reduce((total, size) => total + size, 0);
  if (sum > MOST_BYTES)
    throw new Fault(
      "invalid",
      `failed to initialize logging driver: the labels and variables chosen come to ${sum} bytes, and each message would carry them; choose fewer (at most ${MOST_BYTES})`,
    );
  return attributes;
}

/** The `tag` option filled in; `fallback` where there is none. Source: Docker, "Customize log driver output". */
export function tagOf(container: Logged, fallback: string): string {
  const source = container.spec.host.logConfig.options.tag || fallback;
  try {
    return new Template(source).render(tagValues(container)).replaceAll(/[\n\0]/g, " ");
  } catch (thrown) {
    throw new Fault("invalid", `failed to initialize logging driver: ${sentenceOf(thrown)}`);
  }
}

/** The fields and methods of Docker's logger.Info. */
function tagValues(container: Logged): Readonly<Record<string, unknown>> {
  const { id, name, spec, path, args, effective, imageId } = container;
  return {
    ID: id.slice(0, SHORT_ID),
    FullID: id,
    Name: name,
    ImageID: imageId.slice(0, SHORT_ID),
    ImageFullID: imageId,
    ImageName: spec.image,
    Command: [path, ...args].join(" "),
    Hostname: hostname(),
    ExtraAttributes: () => chosenAttributes(container),
    Config: spec.host.logConfig.options,
    ContainerID: id,
    ContainerName: `/${name}`,
    ContainerEntrypoint: path,
    ContainerArgs: args,
    ContainerImageID: imageId,
    ContainerImageName: spec.image,
    ContainerCreated: container.created,
    ContainerEnv: effective.env,
    ContainerLabels: effective.labels,
    DaemonName: "bunker",
  };
}

/** What json-file and local add to each entry: what was chosen, and the tag if one was asked for. */
export function entryAttributes(container: Logged): Readonly<Record<string, string>> {
  const tag = tagOf(container, "");
  return { ...chosenAttributes(container), ...(tag === "" ? {} : { tag }) };
}
