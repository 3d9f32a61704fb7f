import { describe, expect, test } from "bun:test";
import { Fault } from "#errors";
import { openHouse, started } from "./house.ts";

describe("commands in a container", () => {
  const SPEC = {
    args: ["ls", "-l"],
    env: [],
    user: "",
    workingDirectory: "",
    tty: false,
    privileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: "",
  };

  test("run, end, and are remembered until the container goes", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const exec = await house.run("exec.create", { ref: id, spec: SPEC });
    const { exited, stream } = await house.run("exec.start", { id: exec.id, attach: true });
    expect(stream).toBeDefined();
    expect(await house.run("exec.inspect", { id: exec.id })).toMatchObject({
      isRunning: true,
      exitCode: null,
      pid: 77,
    });
    process.execs[0]?.end(5);
    await exited;
    expect(await house.run("exec.inspect", { id: exec.id })).toMatchObject({ isRunning: false, exitCode: 5 });
    expect((await house.happened()).slice(-3)).toEqual([
      "exec_create: ls -l",
      "exec_start: ls -l",
      "exec_die",
    ]);
    expect(house.run("exec.start", { id: exec.id, attach: true })).rejects.toThrow("has already run");
    await house.run("container.remove", { ref: id, force: true, volumes: false, link: false });
    expect(house.run("exec.inspect", { id: exec.id })).rejects.toThrow("No such exec instance");
  });

  for (const [words, code] of [
    ['exec: "x": executable file not found in $PATH', 127],
    ["exec x: permission denied", 126],
    ["something else", 126],
  ] as const)
    test(`that cannot run (${words}) tell an attached client so and end with ${code}`, async () => {
      await using house = await openHouse();
      const { id, process } = await started(house);
      process.execFailure = new Fault("invalid", words);
      const exec = await house.run("exec.create", { ref: id, spec: SPEC });
      const { failure, stream } = await house.run("exec.start", { id: exec.id, attach: true });
      expect([failure, stream]).toEqual([words, undefined]);
      expect(await house.run("exec.inspect", { id: exec.id })).toMatchObject({ exitCode: code });
      const other = await house.run("exec.create", { ref: id, spec: SPEC });
      expect(house.run("exec.start", { id: other.id, attach: false })).rejects.toThrow(words);
    });

  test("are refused unless it runs", async () => {
    await using house = await openHouse();
    const idle = await house.create();
    expect(house.run("exec.create", { ref: idle.id, spec: SPEC })).rejects.toThrow(
      `container ${idle.id} is not running`,
    );
    const { id } = await started(house);
    await house.run("container.pause", { ref: id });
    expect(house.run("exec.create", { ref: id, spec: SPEC })).rejects.toThrow(
      "unpause the container before exec",
    );
    expect(house.run("exec.create", { ref: id, spec: { ...SPEC, args: [] } })).rejects.toThrow();
  });
});
