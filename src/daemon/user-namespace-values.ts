import { Fault } from "#errors";
import { type Account, MOST_ID_RANGES, parseAccount, parseSubordinateIds, readAccounts } from "#host";
import type { UserNamespace } from "#jobs";

/** Who `default` stands for. Source: Docker's documentation, "Isolate containers with a user namespace". */
const DEFAULT_ACCOUNT = "dockremap";
/** Ids that images use: 0 to 65535. */
const USUAL_SIZE = 65_536;

/** Files of the host's in which users, groups and their subordinate ids are. */
export type AccountFiles = Readonly<Record<"passwd" | "group" | "subuid" | "subgid", string>>;

const realFiles = (): AccountFiles => ({
  passwd: readAccounts("/etc/passwd"),
  group: readAccounts("/etc/group"),
  subuid: readAccounts("/etc/subuid"),
  subgid: readAccounts("/etc/subgid"),
});

/**
 * The ids that containers' own users and groups are on the host: `default`, `user`, `user:group`, by name or number.
 * Undefined for the empty word. Throws `invalid` naming what the host lacks.
 */
export function userNamespace(word: string, files = realFiles): UserNamespace | undefined {
  if (word === "") return undefined;
  const { passwd, group, subuid, subgid } = files();
  const [userWord = "", groupWord, more] = (word === "default" ? DEFAULT_ACCOUNT : word).split(":");
  if (userWord === "" || groupWord === "" || more !== undefined)
    throw new Fault(
      "invalid",
      `Cannot use the setting userns-remap: ${word.slice(0, 100)} is not of the form user[:group]`,
    );
  const user = demand(parseAccount(passwd, userWord), { name: userWord, kind: "user", file: "/etc/passwd" });
  const owner = demand(parseAccount(group, groupWord ?? user.name), {
    name: groupWord ?? user.name,
    kind: "group",
    file: "/etc/group",
  });
  return {
    uids: mapped(subuid, { account: user, file: "/etc/subuid" }),
    gids: mapped(subgid, { account: owner, file: "/etc/subgid" }),
  };
}

function demand(
  account: Account | undefined,
  { name, kind, file }: { readonly name: string; readonly kind: string; readonly file: string },
): Account {
  if (account !== undefined) return account;
  const help = /^\d+$/.test(name) ? "" : `; make it, as in: ${kind}add --system ${name.slice(0, 100)}`;
  throw new Fault(
    "invalid",
    `Cannot use the setting userns-remap: there is no ${kind} ${name.slice(0, 100)} in ${file}${help}`,
  );
}

const endOf = (mapping: UserNamespace["uids"][number] | undefined) =>
  mapping === undefined ? 0 : mapping.hostId + mapping.size;

/** All the account's ranges one after the other, as the container's ids from 0 on. */
function mapped(
  text: string,
  { account, file }: { readonly account: Account; readonly file: string },
): UserNamespace["uids"] {
  let next = 0;
  const mappings = parseSubordinateIds(text, account).map(({ first, size }) => {
    const containerId = next;
    next += size;
    return { containerId, hostId: first, size };
  });
  const refuse = (reason: string) =>
    new Fault("invalid", `Cannot use the setting userns-remap: ${file} gives ${account.name} ${reason}`);
  if (mappings.some(({ hostId }) => hostId === 0))
    throw refuse("the host's own root, from whom containers are to be apart");
  if (mappings.some(({ hostId }, at) => hostId < endOf(mappings[at - 1]))) throw refuse("the same ids twice");
  if (mappings.length > MOST_ID_RANGES)
    throw refuse(`more than ${MOST_ID_RANGES} ranges, and the kernel takes no more`);
  if (mappings.length > 0) return mappings;
  throw new Fault(
    "invalid",
    `Cannot use the setting userns-remap: ${file} gives ${account.name} no ids; add a line, as in ${account.name}:100000:${USUAL_SIZE}`,
  );
}
