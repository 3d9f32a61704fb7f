import { inspectContainer, inspectImage, inspectNetwork, inspectVolume, type Transport } from "#client";
import { didYouMean, Fault } from "#errors";
import type { Template } from "#template";
import { type Command, defineCli, FAILURE_EXIT } from "../command.ts";
import { ABSENT } from "../output/absent.ts";
import { cleanText } from "../output/clean.ts";
import { withTemplate } from "../output/one.ts";
import { platformJson } from "../platform.ts";
import type { Session } from "../session.ts";

type Kind = "container" | "image" | "network" | "volume";
type Look = (
  transport: Transport,
  name: string,
  more: { readonly size: boolean; readonly verbose: boolean; readonly platform?: string },
) => Promise<unknown>;

/** In the order in which a name without a type is tried. */
const LOOKS: Readonly<Record<Kind, Look>> = {
  container: (transport, name, { size }) => inspectContainer(transport, name, size),
  image: (transport, name, { platform }) => inspectImage(transport, name, platform),
  network: (transport, name, { verbose }) => inspectNetwork(transport, name, verbose),
  volume: (transport, name) => inspectVolume(transport, name),
};
const KINDS = Object.keys(LOOKS) as Kind[];

const INSPECT_FLAGS = {
  format: {
    kind: "text",
    hint: "string",
    short: "f",
    about: "Format output using a custom template: 'json' or a Go template",
  },
  size: { kind: "bool", short: "s", about: "Display total file sizes if the type is container" },
  verbose: { kind: "bool", short: "v", about: "Verbose output for diagnostics" },
  platform: {
    kind: "text",
    hint: "string",
    about: 'Inspect a specific platform of the multi-platform image, formatted as "os[/arch[/variant]]"',
  },
  type: { kind: "text", hint: "string", about: "Only inspect objects of the given type" },
} as const;

/** `bunker inspect`. */
export const inspect = defineCli({
  synopsis: "[OPTIONS] NAME|ID [NAME|ID...]",
  about: "Return low-level information on Docker objects",
  example: "bunker inspect -f '{{.State.Status}}' web",
  flags: { format: INSPECT_FLAGS.format, size: INSPECT_FLAGS.size, type: INSPECT_FLAGS.type },
  words: { min: 1 },
  async run({ flags, words, session }) {
    const type = flags.text("type");
    const known = KINDS.find((kind) => kind === type);
    if (flags.has("type") && type === "")
      throw new Fault("invalid", `type is empty: must be one of "${KINDS.join('", "')}"`);
    if (type !== "" && known === undefined)
      throw new Fault(
        "invalid",
        `unknown type: ${JSON.stringify(type)}: must be one of "${KINDS.join('", "')}"${didYouMean(type, KINDS)}`,
      );
    return show(words, {
      session,
      format: flags.text("format"),
      size: flags.bool("size"),
      verbose: false,
      kinds: known ? [known] : KINDS,
    });
  },
});

const only = (kind: Kind, synopsis: string, about: string): Command =>
  defineCli({
    synopsis: `[OPTIONS] ${synopsis}`,
    about,
    example: `bunker ${kind} inspect -f '{{json .}}' NAME`,
    flags: {
      format: INSPECT_FLAGS.format,
      ...(kind === "container" ? { size: INSPECT_FLAGS.size } : {}),
      ...(kind === "image" ? { platform: INSPECT_FLAGS.platform } : {}),
      ...(kind === "network" ? { verbose: INSPECT_FLAGS.verbose } : {}),
    } as Omit<typeof INSPECT_FLAGS, "type">,
    words: { min: 1 },
    run: ({ flags, words, session }) =>
      show(words, {
        session,
        format: flags.text("format"),
        size: kind === "container" && flags.bool("size"),
        verbose: kind === "network" && flags.bool("verbose"),
        ...(kind === "image" ? platformJson(flags.text("platform")) : {}),
        kinds: [kind],
      }),
  });

export const containerInspect = only(
  "container",
  "CONTAINER [CONTAINER...]",
  "Display detailed information on one or more containers",
);
export const imageInspect = only(
  "image",
  "IMAGE [IMAGE...]",
  "Display detailed information on one or more images",
);
export const networkInspect = only(
  "network",
  "NETWORK [NETWORK...]",
  "Display detailed information on one or more networks",
);
export const volumeInspect = only(
  "volume",
  "VOLUME [VOLUME...]",
  "Display detailed information on one or more volumes",
);

/** Source: docker inspect; sysexits.h, EX_USAGE. */
const BAD_TEMPLATE_EXIT = 64;

interface Options {
  readonly session: Session;
  readonly format: string;
  readonly size: boolean;
  readonly verbose: boolean;
  readonly kinds: readonly Kind[];
  readonly platform?: string;
}

/** Shows what was found even when something was not; then the errors, and exit code 1. */
async function show(names: readonly string[], options: Options): Promise<number> {
  const { session, format } = options;
  const isTemplate = format !== "" && format !== "json";
  let template: Template;
  try {
    template = withTemplate(isTemplate ? format : "", (compiled) => compiled);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    session.complain(thrown.message);
    return BAD_TEMPLATE_EXIT;
  }
  const found: unknown[] = [];
  const problems: string[] = [];
  for (const name of names) {
    try {
      const value = await look(name, options);
      found.push(isTemplate ? template.render(value, { optional: ABSENT }) : value);
    } catch (thrown) {
      const problem = problemOf(thrown);
      problems.push(problem);
      if (thrown instanceof Fault && thrown.message.startsWith("Cannot connect")) break;
    }
  }
  if (isTemplate) session.say(found.map((text) => shownText(session, String(text))).join("\n"));
  else
    session.say(found.length === 0 ? "[]" : JSON.stringify(found, null, format === "json" ? undefined : 4));
  for (const problem of problems) session.complain(problem);
  return problems.length > 0 ? FAILURE_EXIT : 0;
}

/** A script gets the text as it is; on a terminal control characters are spelt out. */
const shownText = (session: Session, text: string) =>
  session.console.isTerminal(1) ? cleanText(text) : text;

async function look(name: string, { session, kinds, ...more }: Options): Promise<unknown> {
  for (const kind of kinds) {
    try {
      return await LOOKS[kind](session.daemon, name, more);
    } catch (thrown) {
      const isElsewhere = thrown instanceof Fault && thrown.kind === "not_found" && kinds.length > 1;
      if (!isElsewhere) throw thrown;
    }
  }
  throw new Fault("not_found", `Error: No such object: ${name}`);
}

function problemOf(thrown: unknown): string {
  if (thrown instanceof Fault) return thrown.message;
  if (thrown instanceof Error && thrown.name === "ExecutionProblem")
    return `template parsing error: ${thrown.message}`;
  throw thrown;
}
