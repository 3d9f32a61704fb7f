import { Fault, sentenceOf } from "#errors";
import { type Log, tryRun } from "#host";
import type { Secrets, SharedHost } from "../../cluster/shapes.ts";
import { ENCRYPTED_PORT } from "./options.ts";
import { derive, type Station, secretInUse } from "./secrets.ts";

/** By this number the kernel's associations are told from others'. */
const REQID = 0x62756e6b;
const ALGORITHM = "rfc4106(gcm(aes))";
const CHECK_BITS = 128;
/** What has an association goes before what forbids all else. */
const PRIORITY = { pass: 100, block: 1000 } as const;
/** For documentation (RFC 5737): no packet ever meets the association that is made to see whether one can be. */
const PROBE = "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0xbadc0de";

export interface Peers {
  readonly self: Station & SharedHost;
  readonly others: readonly (Station & SharedHost)[];
  readonly secrets: Secrets;
}

/** What the kernel shall have: lines for `ip -batch`. */
export interface Rules {
  /** By SPI and destination. */
  readonly states: ReadonlyMap<string, string>;
  /** By selector and direction. */
  readonly policies: ReadonlyMap<string, string>;
}

const hex = (spi: number): string => `0x${spi.toString(16).padStart(8, "0")}`;
const stateKey = (destination: string, spi: string): string => `${destination} ${spi}`;

/**
 * Between this host and each other one: what is sent to the port of encrypted networks must be in ESP, and what comes to
 * it counts only out of ESP. What has no association is not sent, and not heard.
 */
export function rulesFor({ self, others, secrets }: Peers): Rules {
  const states = new Map<string, string>();
  const policies = new Map<string, string>();
  const any = self.address.includes(":") ? "::/0" : "0.0.0.0/0";
  for (const [dir, line] of blocksFor(any)) policies.set(policyKey(any, any, dir), line);
  const state = (from: SharedHost, to: SharedHost, { spi, key }: { spi: number; key: string }) =>
    states.set(
      stateKey(to.address, hex(spi)),
      `src ${from.address} dst ${to.address} proto esp spi ${hex(spi)} reqid ${REQID} mode transport ` +
        `aead ${ALGORITHM} 0x${key} ${CHECK_BITS} replay-window 64 flag esn`,
    );
  const policy = (from: SharedHost, to: SharedHost, dir: "in" | "out", spi: string) =>
    policies.set(
      policyKey(whole(from.address), whole(to.address), dir),
      `src ${from.address} dst ${to.address} proto udp dport ${ENCRYPTED_PORT} dir ${dir} priority ${PRIORITY.pass} ` +
        `tmpl src ${from.address} dst ${to.address} proto esp ${spi}reqid ${REQID} mode transport`,
    );
  for (const other of others) {
    for (const secret of secrets.secrets) state(other, self, derive(secret, other, self));
    const outward = derive(secretInUse(secrets), self, other);
    state(self, other, outward);
    policy(self, other, "out", `spi ${hex(outward.spi)} `);
    policy(other, self, "in", "");
  }
  return { states, policies };
}

/** By direction: nothing plain. */
function blocksFor(any: string): [string, string][] {
  return ["out", "in"].map((dir) => [
    dir,
    `src ${any} dst ${any} proto udp dport ${ENCRYPTED_PORT} dir ${dir} action block priority ${PRIORITY.block}`,
  ]);
}

const whole = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;
const policyKey = (from: string, to: string, dir: string): string => `${from} ${to} ${dir}`;

/** What `ip xfrm state` printed of ours: by destination and SPI the words that name one. */
export function parseStates(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const pattern = /^src (\S+) dst (\S+)\n\s+proto esp spi (0x[0-9a-f]+) reqid (\d+)/gm;
  for (const [, from, to = "", spi = "", reqid] of text.matchAll(pattern))
    if (Number(reqid) === REQID) found.set(stateKey(to, spi), `src ${from} dst ${to} proto esp spi ${spi}`);
  return found;
}

/** What `ip xfrm policy` printed of the port: by selector and direction the words that name one. */
export function parsePolicies(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const pattern = new RegExp(
    `^src (\\S+) dst (\\S+) proto udp dport ${ENCRYPTED_PORT}\\s*\\n\\s+dir (\\w+)`,
    "gm",
  );
  for (const [, from = "", to = "", dir = ""] of text.matchAll(pattern))
    found.set(policyKey(from, to, dir), `src ${from} dst ${to} proto udp dport ${ENCRYPTED_PORT} dir ${dir}`);
  return found;
}

/** Keeps the kernel's IPsec tables as they must be, by `ip xfrm`; changes one after another. */
export class Encryption {
  readonly #log: Log;
  #last: Promise<void> = Promise.resolve();
  /** So that what a daemon that was killed left is looked for once. */
  #isOn = true;

  constructor(log: Log) {
    this.#log = log;
  }

  get settled(): Promise<void> {
    return this.#last;
  }

  /** Throws `unsupported` when this host cannot encrypt. */
  async requireUsable(): Promise<void> {
    const made = await tryRun(["ip", "-batch", "-"], {
      input: `${PROBE} mode transport aead ${ALGORITHM} 0x${"00".repeat(36)} ${CHECK_BITS}\n`,
    });
    await tryRun(["ip", ...PROBE.replace(" add ", " delete ").split(" ")]).catch(() => undefined);
    if (made.code === 0) return;
    const words = made.stderr.trim().split("\n")[0] ?? "";
    throw new Fault(
      "unsupported",
      `Cannot encrypt an overlay network on this host: its kernel has no IPsec ESP with AES-GCM (${words}); load the module esp4, or leave out --opt encrypted`,
    );
  }

  /** Nothing plain leaves or is heard when this returns, whoever the other hosts are; what passes already still does. */
  guard(address: string): Promise<void> {
    this.#isOn = true;
    const any = address.includes(":") ? "::/0" : "0.0.0.0/0";
    const work = this.#last.then(() => batch(blocksFor(any).map(([, line]) => `xfrm policy update ${line}`)));
    this.#last = work.catch(() => undefined);
    return work;
  }

  /** Undefined: nothing is encrypted here any more. */
  apply(peers: Peers | undefined): Promise<void> {
    if (peers === undefined && !this.#isOn) return this.#last;
    this.#isOn = peers !== undefined;
    this.#last = this.#last
      .then(() =>
        this.#settle(peers === undefined ? { states: new Map(), policies: new Map() } : rulesFor(peers)),
      )
      .catch((error: unknown) =>
        this.#log("error", `Encrypted networks do not reach other hosts: ${sentenceOf(error)}`),
      );
    return this.#last;
  }

  /** New associations come before the policies that need them; old ones go last. One that is there keeps its counter. */
  async #settle({ states, policies }: Rules): Promise<void> {
    const thereStates = parseStates((await tryRun(["ip", "xfrm", "state"])).stdout);
    const therePolicies = parsePolicies((await tryRun(["ip", "xfrm", "policy"])).stdout);
    const lines = [
      ...[...states].filter(([key]) => !thereStates.has(key)).map(([, line]) => `xfrm state add ${line}`),
      ...[...policies.values()].map((line) => `xfrm policy update ${line}`),
      ...[...therePolicies]
        .filter(([key]) => !policies.has(key))
        .map(([, line]) => `xfrm policy delete ${line}`),
      ...[...thereStates].filter(([key]) => !states.has(key)).map(([, line]) => `xfrm state delete ${line}`),
    ];
    await batch(lines);
  }
}

async function batch(lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const { code, stderr } = await tryRun(["ip", "-force", "-batch", "-"], { input: `${lines.join("\n")}\n` });
  if (code !== 0)
    throw new Fault("internal", `ip xfrm: ${stderr.trim().split("\n")[0] ?? "no reason given"}`);
}
