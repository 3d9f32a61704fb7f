import { describe, expect, test } from "bun:test";
import { parseProcesses } from "../../../src/jobs/container/top.ts";
import { fits, flag, matchesLabels, parseMoment } from "../../../src/jobs/filters.ts";
import { eventFilter } from "../../../src/jobs/system/events.ts";
import { parseMemoryTotal, parseOsRelease } from "../../../src/jobs/system/info.ts";
import { openHouse } from "./house.ts";

describe("listing containers", () => {
  async function street() {
    const house = await openHouse();
    const web = await house.create(
      { portBindings: { "80/tcp": [{ hostIp: "", hostPort: "8020" }] }, binds: ["data:/data"] },
      { labels: { tier: "front", owner: "me" }, exposedPorts: ["80/tcp"] },
      "web",
    );
    const db = await house.create({}, { labels: { tier: "back" } }, "db-main");
    const idle = await house.create({ networkMode: "none" }, {}, "idle");
    for (const { id } of [web, db]) await house.run("container.start", { ref: id });
    house.exec.last.end({ code: 3 });
    await house.rooms.monitor.committed(db.id);
    const names = async (filters: Record<string, readonly string[]>, all = true, limit = 0) =>
      (await house.run("container.list", { all, limit, size: false, filters })).map(
        ({ container }) => container.name,
      );
    return { house, web, db, idle, names };
  }

  const cases = [
    [{}, ["idle", "db-main", "web"]],
    [{ status: ["exited"] }, ["db-main"]],
    [{ status: ["running", "created"] }, ["idle", "web"]],
    [{ exited: ["3"] }, ["db-main"]],
    [{ exited: ["0"] }, []],
    [{ name: ["db"] }, ["db-main"]],
    [{ name: ["^/web$", "idle"] }, ["idle", "web"]],
    [{ name: ["^/db$"] }, []],
    [{ label: ["tier"] }, ["db-main", "web"]],
    [{ label: ["tier=front", "owner"] }, ["web"]],
    [{ label: ["tier=front", "owner=you"] }, []],
    [{ volume: ["data"] }, ["web"]],
    [{ volume: ["/data"] }, ["web"]],
    [{ network: ["bridge"] }, ["db-main", "web"]],
    [{ publish: ["80"] }, ["web"]],
    [{ publish: ["70-90/tcp"] }, ["web"]],
    [{ publish: ["80/udp"] }, []],
    [{ expose: ["80/tcp"] }, ["web"]],
    [{ ancestor: ["busybox:latest"] }, ["idle", "db-main", "web"]],
    [{ ancestor: ["other"] }, []],
    [{ before: ["idle"], since: ["web"] }, ["db-main"]],
    [{ health: ["none"] }, ["idle", "db-main", "web"]],
    [{ health: ["healthy"] }, []],
    [{ "is-task": ["true"] }, []],
    [{ status: ["running"], name: ["db"] }, []],
  ] as const;
  for (const [filters, expected] of cases)
    test(`by ${JSON.stringify(filters)}`, async () => {
      const { house, names } = await street();
      await using _house = house;
      expect(await names(filters)).toEqual([...expected]);
    });

  test("shows what runs unless asked for more", async () => {
    const { house, names } = await street();
    await using _house = house;
    expect(await names({}, false)).toEqual(["web"]);
    expect(await names({}, false, 2)).toEqual(["idle", "db-main"]);
    expect(await names({ status: ["exited"] }, false)).toEqual(["db-main"]);
  });

  for (const [filters, words] of [
    [{ bogus: ["x"] }, "invalid filter 'bogus'"],
    [{ status: ["dancing"] }, "invalid filter 'status=dancing'"],
    [{ exited: ["x"] }, "invalid filter 'exited=x'"],
    [{ before: ["nobody"] }, "No such container: nobody"],
    [{ "is-task": ["maybe"] }, "invalid filter 'is-task=[maybe]'"],
  ] as const)
    test(`refuses ${JSON.stringify(filters)}`, async () => {
      const { house, names } = await street();
      await using _house = house;
      expect(names(filters)).rejects.toThrow(words);
    });

  test("prunes what does not run, by label and age", async () => {
    const { house, names, db, idle } = await street();
    await using _house = house;
    expect(await house.run("container.prune", { filters: { until: ["1h"] } })).toMatchObject({ deleted: [] });
    expect(await house.run("container.prune", { filters: { "label!": ["tier"] } })).toEqual({
      deleted: [idle.id],
      reclaimedBytes: 10,
    });
    expect((await house.run("container.prune", { filters: {} })).deleted).toEqual([db.id]);
    expect(await names({})).toEqual(["web"]);
  });
});

describe("filters", () => {
  test("match labels all together, and their absence", () => {
    const labels = { a: "1", b: "" };
    expect(matchesLabels({ label: ["a=1", "b"] }, labels)).toBe(true);
    expect(matchesLabels({ label: ["a=2"] }, labels)).toBe(false);
    expect(matchesLabels({ label: ["b="] }, labels)).toBe(true);
    expect(matchesLabels({ "label!": ["a"] }, labels)).toBe(false);
    expect(matchesLabels({ label: ["toString"] }, labels)).toBe(false);
  });

  test("take what is no regular expression as a word", () => {
    expect(fits("[", "[")).toBe(true);
    expect(fits("[", "x")).toBe(false);
  });

  test("know flags in Docker's spellings", () => {
    expect(flag({ x: ["1"] }, "x")).toBe(true);
    expect(flag({ x: ["False"] }, "x")).toBe(false);
    expect(flag({}, "x")).toBeUndefined();
    expect(() => flag({ x: ["1", "0"] }, "x")).toThrow("invalid filter");
  });

  for (const [text, expected] of [
    ["10", 10_000],
    ["10.5", 10_500],
    ["1h30m", 1_000_000_000 - 5_400_000],
    ["500ms", 1_000_000_000 - 500],
    ["1970-01-01T00:00:01Z", 1000],
  ] as const)
    test(`take ${text} for a moment`, () => {
      expect(parseMoment(text, 1_000_000_000)).toBe(expected);
    });
  for (const text of ["", "yesterday", "10x", "-5"])
    test(`do not take "${text}" for one`, () => {
      expect(() => parseMoment(text, 0)).toThrow("invalid time");
    });
});

describe("events are chosen", () => {
  const event = {
    type: "container",
    action: "exec_start: ls -l",
    id: "abc123",
    attributes: { name: "web", image: "httpd:2.4", tier: "front" },
    timeNano: 0n,
  } as const;
  const network = {
    type: "network",
    action: "connect",
    id: "net1",
    attributes: { container: "abc123", name: "bridge" },
    timeNano: 0n,
  } as const;
  const cases = [
    [{}, true, true],
    [{ type: ["container"] }, true, false],
    [{ event: ["exec_start"] }, true, false],
    [{ event: ["connect", "die"] }, false, true],
    [{ container: ["web"] }, true, false],
    [{ container: ["abc"] }, true, true],
    [{ container: ["other"] }, false, false],
    [{ image: ["httpd"] }, true, false],
    [{ image: ["httpd:2.4"] }, true, false],
    [{ image: ["httpd:2"] }, false, false],
    [{ label: ["tier=front"] }, true, false],
    [{ network: ["bridge"] }, false, true],
    [{ scope: ["swarm"] }, false, false],
    [{ service: ["x"] }, false, false],
  ] as const;
  for (const [filters, ofContainer, ofNetwork] of cases)
    test(`by ${JSON.stringify(filters)}`, () => {
      expect([eventFilter(filters)(event), eventFilter(filters)(network)]).toEqual([ofContainer, ofNetwork]);
    });
});

describe("the table of ps", () => {
  test("keeps the container's rows, and the last column whole", () => {
    const text =
      "UID   PID  PPID CMD\nroot    1     0 init\nwww    42     1 httpd -f  -p 80\nwww    43    42 sh\n";
    expect(parseProcesses(text, new Set([42, 43]))).toEqual({
      titles: ["UID", "PID", "PPID", "CMD"],
      processes: [
        ["www", "42", "1", "httpd -f  -p 80"],
        ["www", "43", "42", "sh"],
      ],
    });
  });

  test("without a column PID is of no use", () => {
    expect(() => parseProcesses("USER CMD\nroot sh\n", new Set())).toThrow(
      "Couldn't find PID field in ps output",
    );
  });
});

describe("facts of the host", () => {
  test("are read from its files", () => {
    expect(parseOsRelease('NAME="X"\nPRETTY_NAME="Debian GNU/Linux 12"\n')).toBe("Debian GNU/Linux 12");
    expect(parseOsRelease("PRETTY_NAME=Arch")).toBe("Arch");
    expect(parseOsRelease("")).toBe("Linux");
    expect(parseMemoryTotal("MemTotal:       1024 kB\nMemFree: 1 kB\n")).toBe(1_048_576);
  });

  test("and the engine's own are in info", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    await house.create();
    await house.run("container.start", { ref: id });
    expect(await house.run("system.info", {})).toMatchObject({
      containers: { running: 1, paused: 0, stopped: 1 },
      images: 1,
      driver: "fake",
      eventListeners: 1,
      liveRestore: true,
    });
  });
});

describe("networks and volumes", () => {
  test("are listed with their filters, and inspected with those who use them", async () => {
    await using house = await openHouse();
    const { id, name } = await house.create({ binds: ["data:/d"] });
    await house.run("container.start", { ref: id });
    await house.run("volume.create", { name: "spare", labels: { a: "1" }, options: {} });
    const volumes = async (filters: Record<string, readonly string[]>) =>
      (await house.run("volume.list", { filters })).volumes.map((volume) => volume.name);
    expect(await volumes({})).toEqual(["data", "spare"]);
    expect(await volumes({ dangling: ["true"] })).toEqual(["spare"]);
    expect(await volumes({ label: ["a=1"] })).toEqual(["spare"]);
    expect(await volumes({ name: ["dat"], driver: ["local"] })).toEqual(["data"]);
    expect(volumes({ size: ["1"] })).rejects.toThrow("invalid filter 'size'");
    expect(house.run("volume.inspect", { name: "none" })).rejects.toThrow("get none: no such volume");
    expect(house.run("volume.remove", { name: "data", force: false })).rejects.toThrow("volume is in use");

    const { endpoints } = await house.run("network.inspect", { ref: "bridge" });
    expect(endpoints).toMatchObject([{ containerId: id, name }]);
    const networks = async (filters: Record<string, readonly string[]>) =>
      (await house.run("network.list", { filters })).length;
    expect(await networks({ type: ["builtin"], driver: ["bridge"], scope: ["local"] })).toBe(1);
    expect(await networks({ type: ["custom"] })).toBe(0);
    expect(await networks({ dangling: ["true"] })).toBe(0);
    expect(house.run("network.inspect", { ref: "no" })).rejects.toThrow("network no not found");
  });
});
