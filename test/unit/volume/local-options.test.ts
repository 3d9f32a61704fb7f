import { describe, expect, test } from "bun:test";
import { withAddress } from "../../../src/volume/drivers/local/address.ts";
import { parseLocalOptions, parseSize } from "../../../src/volume/drivers/local/options.ts";

const BIND = 4096;
const REC = 16384;

describe("options of the local driver", () => {
  const cases: readonly (readonly [Record<string, string>, object])[] = [
    [{}, {}],
    [{ size: "1m" }, { sizeBytes: 1024 ** 2 }],
    [{ size: "0" }, {}],
    [
      { type: "tmpfs", device: "tmpfs", o: "size=100m,uid=1000,noexec" },
      { mount: { type: "tmpfs", device: "tmpfs", flags: 8, options: ["size=100m", "uid=1000"] } },
    ],
    [
      { type: "none", device: "/srv", o: "bind" },
      { mount: { type: "none", device: "/srv", flags: BIND, options: [] } },
    ],
    [
      { type: "none", device: "/srv", o: "rbind,ro" },
      { mount: { type: "none", device: "/srv", flags: BIND | REC | 1, options: [] } },
    ],
    [
      { type: "ext4", device: "/dev/sdx1" },
      { mount: { type: "ext4", device: "/dev/sdx1", flags: 0, options: [] } },
    ],
    [
      { type: "ext4", device: "/srv/disk.img", o: "loop,ro,rw,data=ordered,,_netdev" },
      { mount: { type: "ext4", device: "/srv/disk.img", flags: 0, options: ["data=ordered"] } },
    ],
    [
      { type: "nfs", device: ":/export", o: "addr=10.0.0.1,nfsvers=4" },
      { mount: { type: "nfs", device: ":/export", flags: 0, options: ["addr=10.0.0.1", "nfsvers=4"] } },
    ],
  ];
  for (const [options, expected] of cases)
    test(JSON.stringify(options), () => expect(parseLocalOptions(options)).toEqual(expected as never));

  const refused: readonly (readonly [Record<string, string>, string])[] = [
    [{ speed: "1" }, 'invalid option: "speed"'],
    [{ type: "tmpfs" }, 'missing required option: "device"'],
    [{ device: "/dev/sdx" }, 'missing required option: "type"'],
    [{ o: "bind" }, 'missing required option: "device"'],
    [{ type: "tmpfs", device: "" }, "missing device in volume options"],
    [{ size: "much" }, "invalid size: 'much'"],
    [{ size: "-1" }, "invalid size: '-1'"],
    [{ size: "99999999999p" }, "is more than can be counted"],
    [{ type: "tmpfs", device: "tmpfs", size: "1m" }, "o=size=100m"],
  ];
  for (const [options, sentence] of refused)
    test(`${JSON.stringify(options)} is refused`, () =>
      expect(() => parseLocalOptions(options)).toThrow(sentence));

  for (const [text, bytes] of [
    ["10", 10],
    ["10b", 10],
    ["1k", 1024],
    ["1KB", 1024],
    ["1.5MiB", 1.5 * 1024 ** 2],
    ["2 G", 2 * 1024 ** 3],
  ] as const)
    test(`a size of ${text}`, () => expect(parseSize(text)).toBe(bytes));
});

describe("the server of a network file system", () => {
  const resolve = async (name: string) => `resolved-${name}`;
  const cases: readonly (readonly [type: string, device: string, o: string, options: readonly string[]])[] = [
    ["nfs", ":/export", "addr=10.0.0.1,rw", ["addr=10.0.0.1"]],
    ["nfs", ":/export", "addr=files,nfsvers=4", ["nfsvers=4", "addr=resolved-files"]],
    ["nfs4", "files:/export", "", ["addr=resolved-files"]],
    ["nfs", "[fd00::1]:/export", "", ["addr=fd00::1"]],
    ["nfs", ":/export", "nfsvers=4", ["nfsvers=4"]],
    ["cifs", "//files/share", "username=u", ["username=u", "addr=resolved-files"]],
    ["cifs", "//files/share", "addr=10.0.0.1", ["addr=10.0.0.1"]],
    ["ext4", "/dev/sdx", "addr=files", ["addr=files"]],
  ];
  for (const [type, device, o, options] of cases)
    test(`${type} ${device} ${o}`, async () => {
      const { mount } = parseLocalOptions({ type, device, o });
      if (mount === undefined) throw new Error("no mount");
      expect((await withAddress(mount, resolve)).options).toEqual(options);
    });
});
