import { type CreateBody, type Created, createContainer } from "#client";
import { didYouMean, Fault } from "#errors";
import type { Flags } from "../flags.ts";
import { fs } from "../lazy-fs.ts";
import type { Session } from "../session.ts";
import type { CreateFlags } from "./flags.ts";

const PULL = ["always", "missing", "never"];

/** @throws Fault `invalid` */
export function checkPull(flags: Flags<CreateFlags>): void {
  const pull = flags.text("pull");
  if (!PULL.includes(pull))
    throw new Fault(
      "invalid",
      `invalid pull option: '${pull}': must be one of "always", "missing" or "never"${didYouMean(pull, PULL)}`,
    );
}

/** By which call a container is made. */
export type Create = (body: CreateBody, names: { name?: string; platform?: string }) => Promise<Created>;

/**
 * Creates the container, pulling its image when the daemon lacks it (progress goes where errors go), and writes the file for
 * its id. No question is asked before: in the usual case this is one call.
 * @throws Fault
 */
export async function createFromImage(
  session: Session,
  {
    flags,
    body: asked,
    create = (...words) => createContainer(session.daemon, ...words),
  }: { flags: Flags<CreateFlags>; body: CreateBody; create?: Create },
): Promise<string> {
  const body = await toldOfProxies(session, asked);
  checkPull(flags);
  const pull = flags.text("pull");
  const idFile = flags.text("cidfile");
  if (idFile !== "" && fs().existsSync(idFile))
    throw new Fault(
      "conflict",
      `container ID file found, make sure the other container isn't running or delete ${idFile}`,
    );
  const names = { ...optional("name", flags.text("name")), ...optional("platform", flags.text("platform")) };
  const fetch = async () => {
    const { pullTo } = await import("../pull.ts");
    const sink = flags.bool("quiet") ? undefined : session.console.err;
    await pullTo(session, {
      name: body.Image,
      sink,
      descriptor: 2,
      ...optional("platform", flags.text("platform")),
    });
  };
  if (pull === "always") await fetch();
  const created = await create(body, names).catch(async (thrown: unknown) => {
    if (pull !== "missing" || !isMissingImage(thrown)) throw thrown;
    if (!flags.bool("quiet")) session.complain(`Unable to find image '${withTag(body.Image)}' locally`);
    await fetch();
    return create(body, names);
  });
  if (flags.has("kernel-memory"))
    session.complain(
      "WARNING: Kernel memory limits are gone from current kernels. --kernel-memory discarded.",
    );
  for (const warning of created.Warnings ?? []) session.complain(`WARNING: ${warning}`);
  if (idFile !== "") writeIdFile(idFile, created.Id);
  return created.Id;
}

/** Read only where the configuration speaks of proxies at all. */
async function toldOfProxies(session: Session, body: CreateBody): Promise<CreateBody> {
  const { config } = session;
  if (Object.keys(config.table("proxies")).length === 0) return body;
  const { withProxies } = await import("../proxies.ts");
  const variables = withProxies(body.Env ?? [], { config, host: session.daemon.address.text });
  return variables.length === 0 ? body : { ...body, Env: variables };
}

function optional<K extends string>(key: K, value: string): { [key in K]?: string } {
  return (value === "" ? {} : { [key]: value }) as { [key in K]?: string };
}

function isMissingImage(thrown: unknown): boolean {
  return thrown instanceof Fault && thrown.kind === "not_found" && /no such image/i.test(thrown.message);
}

function withTag(image: string): string {
  return /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
}

function writeIdFile(path: string, id: string): void {
  try {
    fs().writeFileSync(path, id, { flag: "wx", mode: 0o644 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `failed to write the container ID (${id}) to the file: ${reason}`, { cause });
  }
}
