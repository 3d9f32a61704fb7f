import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { Fault } from "#errors";
import { RegistryProblem } from "./problem.ts";

/** bcrypt, the one kind that is worth its name; htpasswd -B makes it. */
const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
/** A password of nobody, where there are no users. */
const NOBODY = "$2b$10$ocDhBEJqLqCoNfctOl8SzuS1xRjdMtDBNdPln86kxHNiAoCiuMdYm";
/** bcrypt costs a tenth of a second: what was right is remembered, as a digest, so long. */
const REMEMBERED_MILLISECONDS = 5 * 60 * 1000;
const MOST_REMEMBERED = 1000;
/** One password is checked at a time, lest guessing keep every thread busy; so many may wait. */
const MOST_WAITING = 50;

/** The users of a registry, from a file as Apache's htpasswd makes it; a changed file counts from the next request on. */
export class Htpasswd {
  readonly #path: string;
  #changed = 0;
  #users = new Map<string, string>();
  readonly #remembered = new Map<string, number>();
  readonly #checking = new Map<string, Promise<boolean>>();
  #last: Promise<unknown> = Promise.resolve();

  /** Throws `invalid` naming the line that cannot be used. */
  constructor(path: string) {
    this.#path = path;
    this.#load();
  }

  /** Throws 401 unless the header names a user with the right password. */
  async admit(authorization: string | undefined, realm: string): Promise<void> {
    const given = parseBasic(authorization);
    if (given !== undefined && (await this.#isRight(given))) return;
    throw new RegistryProblem(401, "UNAUTHORIZED", "authentication required", {
      "WWW-Authenticate": `Basic realm="${realm}"`,
    });
  }

  async #isRight({ user, password }: { user: string; password: string }): Promise<boolean> {
    this.#load();
    const hash = this.#users.get(user);
    const key = createHash("sha256").update(`${hash}\0${user}\0${password}`).digest("base64");
    if ((this.#remembered.get(key) ?? 0) > Date.now()) return true;
    const isRight = await (this.#checking.get(key) ?? this.#check(key, password, hash ?? this.#anyHash()));
    if (hash === undefined || !isRight) return false;
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(key, Date.now() + REMEMBERED_MILLISECONDS);
    return true;
  }

  /** For an unknown name: it takes as long as those that are known. */
  #anyHash(): string {
    const [first = NOBODY] = this.#users.values();
    return first;
  }

  /** Asked for once however many requests wait for it. Throws 429 when too many do. */
  #check(key: string, password: string, hash: string): Promise<boolean> {
    if (this.#checking.size >= MOST_WAITING)
      throw new RegistryProblem(429, "TOOMANYREQUESTS", "too many passwords are being checked", {
        "Retry-After": "1",
      });
    const verify = () => Bun.password.verify(password, hash.replace(/^\$2[ay]/, "$2b"), "bcrypt");
    const mine = this.#last
      .then(verify)
      .catch(() => false)
      .finally(() => this.#checking.delete(key));
    this.#checking.set(key, mine);
    this.#last = mine;
    return mine;
  }

  #load(): void {
    const { mtimeMs } = statSync(this.#path);
    if (mtimeMs === this.#changed) return;
    const users = new Map<string, string>();
    for (const [at, line] of readFileSync(this.#path, "utf8").split("\n").entries()) {
      if (line.trim() === "" || line.startsWith("#")) continue;
      const colon = line.indexOf(":");
      const hash = line.slice(colon + 1).trim();
      if (colon <= 0 || !BCRYPT.test(hash))
        throw new Fault(
          "invalid",
          `Cannot use ${this.#path}: line ${at + 1} holds no bcrypt password; make it with htpasswd -B`,
        );
      users.set(line.slice(0, colon), hash);
    }
    this.#users = users;
    this.#changed = mtimeMs;
    this.#remembered.clear();
  }
}

/** Source: RFC 7617. */
function parseBasic(header: string | undefined): { user: string; password: string } | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=_-]+)$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
