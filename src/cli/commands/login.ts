import { checkAuth } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { ConfigFile } from "../config-file.ts";
import { HUB, type Login, registryKey, storedLogin, storeLogin } from "../login/credentials.ts";
import { readSecret } from "../login/secret.ts";
import type { Session } from "../session.ts";

/** A password is far below it, in bytes. */
const LONGEST_PASSWORD = 64 * 1024;

interface Asked {
  readonly username: string;
  readonly password: string;
  readonly isPiped: boolean;
}

/** `bunker login`. */
export const login = defineCli({
  synopsis: "[OPTIONS] [SERVER]",
  about: "Authenticate to a registry",
  example: "bunker login -u me --password-stdin registry.example.org",
  flags: {
    password: { kind: "text", hint: "string", short: "p", about: "Password or Personal Access Token (PAT)" },
    "password-stdin": {
      kind: "bool",
      about: "Take the Password or Personal Access Token (PAT) from stdin",
    },
    username: { kind: "text", hint: "string", short: "u", about: "Username" },
  },
  words: { min: 0, max: 1 },
  async run({ flags, words: [server = ""], session }) {
    const asked = {
      username: flags.text("username"),
      password: flags.text("password"),
      isPiped: flags.bool("password-stdin"),
    };
    checkFlags(asked, session);
    const registry = registryKey(server);
    const config = ConfigFile.read(session.env);
    const again =
      asked.username === "" && asked.password === "" ? await storedLogin(config, registry) : undefined;
    if (again !== undefined) {
      session.say("Authenticating with existing credentials...");
      if (await isTaken(session, registry, again)) {
        session.say("Login Succeeded");
        return 0;
      }
    }
    const given = await ask(session, asked, registry);
    const { Status, IdentityToken } = await checkAuth(session.daemon, { ...given, serveraddress: registry });
    const kept = IdentityToken ? { ...given, identitytoken: IdentityToken } : given;
    const { isPlain } = await storeLogin(config, registry, kept);
    if (isPlain)
      session.complain(
        `\nWARNING! Your credentials are stored unencrypted in '${config.path}'.\nConfigure a credential helper (credsStore) to keep them elsewhere.\n`,
      );
    session.say(Status);
    return 0;
  },
});

function checkFlags({ username, password, isPiped }: Asked, session: Session): void {
  if (password !== "" && isPiped)
    throw new Fault("invalid", "--password and --password-stdin are mutually exclusive");
  if (isPiped && username === "") throw new Fault("invalid", "Must provide --username with --password-stdin");
  if (password !== "")
    session.complain("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
}

/** Refused credentials are asked for anew; what else goes wrong is told. */
async function isTaken(session: Session, registry: string, login: Login): Promise<boolean> {
  try {
    await checkAuth(session.daemon, { ...login, serveraddress: registry });
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind !== "unauthorized") throw thrown;
    session.complain(`Login did not succeed, error: ${thrown.message}`);
    return false;
  }
}

async function ask(
  session: Session,
  { username: given, password, isPiped }: Asked,
  registry: string,
): Promise<Login> {
  if (isPiped) return { username: given, password: await pipedPassword() };
  if (given !== "" && password !== "") return { username: given, password };
  if (!session.console.isTerminal(0))
    throw new Fault("invalid", "Error: Cannot perform an interactive login from a non TTY device");
  if (registry === HUB && given === "")
    session.say("Log in with your Docker ID to push and pull images from Docker Hub.");
  let username = given;
  if (username === "") {
    session.console.out("Username: ");
    username = session.console.line().trim();
  }
  if (username === "") throw new Fault("invalid", "Error: Non-null Username Required");
  const typed = password === "" ? readSecret(session.console, "Password: ") : password;
  if (typed === "") throw new Fault("invalid", "Error: Password Required");
  return { username, password: typed };
}

async function pipedPassword(): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of Bun.stdin.stream()) {
    length += part.length;
    if (length > LONGEST_PASSWORD)
      throw new Fault("invalid", `Cannot log in: the password has more than ${LONGEST_PASSWORD} bytes`);
    parts.push(part);
  }
  const text = Buffer.concat(parts)
    .toString()
    .replace(/\r?\n$/, "");
  if (text === "") throw new Fault("invalid", "Error: Password Required");
  return text;
}
