import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Htpasswd } from "#registry";

let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bunker-htpasswd-"));
  path = join(folder, "users");
  const hash = await Bun.password.hash("right", { algorithm: "bcrypt", cost: 4 });
  await writeFile(path, `# users\nann:${hash.replace("$2b", "$2y")}\n`);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;

async function statusOf(users: Htpasswd, header: string | undefined): Promise<number> {
  return users.admit(header, "here").then(
    () => 200,
    (thrown: { readonly status: number }) => thrown.status,
  );
}

test.each([
  ["the right password", basic("ann", "right"), 200],
  ["a wrong one", basic("ann", "wrong"), 401],
  ["nobody", basic("bob", "right"), 401],
  ["no colon", `Basic ${btoa("ann")}`, 401],
  ["another scheme", "Bearer x", 401],
  ["nothing", undefined, 401],
])("%s", async (_name, header, status) => {
  expect(await statusOf(new Htpasswd(path), header)).toBe(status);
});

test("many requests with one password are checked together, and too many guesses are turned away", async () => {
  const users = new Htpasswd(path);
  const same = await Promise.all(Array.from({ length: 200 }, () => statusOf(users, basic("ann", "right"))));
  expect(new Set(same)).toEqual(new Set([200]));
  const guesses = Array.from({ length: 200 }, (_, n) => statusOf(users, basic("ann", `guess ${n}`)));
  expect(await statusOf(users, basic("ann", "right"))).toBe(200);
  const counts = Map.groupBy(await Promise.all(guesses), (status) => status);
  expect([counts.get(401)?.length, counts.get(429)?.length]).toEqual([50, 150]);
});

test("a changed file counts at once", async () => {
  const changing = join(folder, "changing");
  const write = async (password: string, time: number) => {
    await writeFile(changing, `ann:${await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 })}\n`);
    await utimes(changing, time, time);
  };
  await write("old", 1000);
  const users = new Htpasswd(changing);
  expect(await statusOf(users, basic("ann", "old"))).toBe(200);
  await write("new", 2000);
  expect(await statusOf(users, basic("ann", "old"))).toBe(401);
  expect(await statusOf(users, basic("ann", "new"))).toBe(200);
});
