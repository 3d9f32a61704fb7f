import { closeSync, constants, fstatSync, readSync } from "node:fs";
import { Fault } from "#errors";
import { openInRoot } from "./place.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** A container's file of users is not believed to be any size. */
const FILE_LIMIT = 1024 * 1024;
const NUMBER = /^\d{1,10}$/;
const LARGEST_ID = 2 ** 32 - 2;

/** `user[:group]`, names or numbers, by the container's own files. Throws `invalid` when there is no such user or group. */
export function identityOf(text: string): Identity {
  const [user = "", group] = text.split(":");
  const known = usersIn(readText("/etc/passwd")).find(({ name, uid }) => name === user || `${uid}` === user);
  const uid = known?.uid ?? idOf(user);
  if (uid === undefined)
    throw new Fault("invalid", `unable to find user ${user}: no matching entries in passwd file`);
  if (group === undefined || group === "") return { uid, gid: known?.gid ?? 0 };
  const gid = groupsIn(readText("/etc/group")).find(({ name }) => name === group)?.gid ?? idOf(group);
  if (gid === undefined)
    throw new Fault("invalid", `unable to find group ${group}: no matching entries in group file`);
  return { uid, gid };
}

function idOf(text: string): number | undefined {
  return NUMBER.test(text) && Number(text) <= LARGEST_ID ? Number(text) : undefined;
}

/** Source: passwd(5). */
export function usersIn(
  text: string,
): readonly { readonly name: string; readonly uid: number; readonly gid: number }[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , user = "", group = ""] = line.split(":");
    const [uid, gid] = [idOf(user), idOf(group)];
    return name === "" || uid === undefined || gid === undefined ? [] : [{ name, uid, gid }];
  });
}

/** Source: group(5). */
export function groupsIn(text: string): readonly { readonly name: string; readonly gid: number }[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , group = ""] = line.split(":");
    const gid = idOf(group);
    return name === "" || gid === undefined ? [] : [{ name, gid }];
  });
}

/** Nothing when there is no such file, or it is none. */
function readText(path: string): string {
  let descriptor: number;
  try {
    descriptor = openInRoot(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return "";
  }
  try {
    if (!fstatSync(descriptor).isFile()) return "";
    const bytes = Buffer.alloc(FILE_LIMIT);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, FILE_LIMIT, 0));
  } finally {
    closeSync(descriptor);
  }
}
