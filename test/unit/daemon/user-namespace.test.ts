import { describe, expect, test } from "bun:test";
import { type AccountFiles, userNamespace } from "../../../src/daemon/user-namespace-values.ts";

const FILES: AccountFiles = {
  passwd:
    "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\nbroken\ndockremap:x:990:991::/:\ntwice:x:5:5::/:\nhost:x:6:6::/:\n",
  group: "root:x:0:\nann:x:1000:\nstaff:x:50:ann\ndockremap:x:991:\ntwice:x:5:\nhost:x:6:\n",
  subuid:
    "ann:100000:65536\n1000:300000:10\nother:1:1\ndockremap:500000:65536\n# ann:7:7\nann:x:1\nann:5:0\ntwice:100:50\ntwice:120:5\nhost:0:65536\n",
  subgid: "staff:200000:65536\nann:400000:1000\ndockremap:600000:65536\nann:4294967290:100\n",
};
const map = (containerId: number, hostId: number, size: number) => ({ containerId, hostId, size });

describe("userns-remap", () => {
  test.each([
    ["ann", [map(0, 100_000, 65_536), map(65_536, 300_000, 10)], [map(0, 400_000, 1000)]],
    ["1000", [map(0, 100_000, 65_536), map(65_536, 300_000, 10)], [map(0, 400_000, 1000)]],
    ["ann:staff", [map(0, 100_000, 65_536), map(65_536, 300_000, 10)], [map(0, 200_000, 65_536)]],
    ["ann:50", [map(0, 100_000, 65_536), map(65_536, 300_000, 10)], [map(0, 200_000, 65_536)]],
    ["default", [map(0, 500_000, 65_536)], [map(0, 600_000, 65_536)]],
  ])("%s is who has these ids", (word, uids, gids) => {
    expect(userNamespace(word, () => FILES)).toEqual({ uids, gids });
  });

  test("is off without a word", () => {
    expect(userNamespace("", () => FILES)).toBeUndefined();
  });

  test.each([
    ["nobody", "there is no user nobody in /etc/passwd; make it, as in: useradd --system nobody"],
    ["4000", "there is no user 4000 in /etc/passwd"],
    ["ann:none", "there is no group none in /etc/group; make it, as in: groupadd --system none"],
    ["root", "/etc/subuid gives root no ids; add a line, as in root:100000:65536"],
    ["ann:root", "/etc/subgid gives root no ids; add a line, as in root:100000:65536"],
    ["twice", "/etc/subuid gives twice the same ids twice"],
    ["host", "/etc/subuid gives host the host's own root, from whom containers are to be apart"],
    ["ann:staff:more", "ann:staff:more is not of the form user[:group]"],
    [":staff", ":staff is not of the form user[:group]"],
    ["ann:", "ann: is not of the form user[:group]"],
  ])("%s is refused: %s", (word, reason) => {
    expect(() => userNamespace(word, () => FILES)).toThrow(`Cannot use the setting userns-remap: ${reason}`);
  });
});
