import { describe, expect, test } from "bun:test";
import { parseJournalEntry } from "../../../src/container/log/journal.ts";
import {
  chosenAttributes,
  entryAttributes,
  type Logged,
  tagOf,
} from "../../../src/jobs/container/log/facts.ts";
import { fieldName, fieldsOf, journalFields } from "../../../src/jobs/container/log/journald.ts";
import { inetAddress, unixAddress } from "../../../src/jobs/container/log/socket-address.ts";
import { containerView } from "../../fakes/container-view.ts";

const ID = "0123456789abcdef".repeat(4);

function logged(options: Readonly<Record<string, string>>): Logged {
  const { container } = containerView();
  return {
    ...container,
    id: ID,
    name: "web",
    path: "sh",
    args: ["-c", "true"],
    imageId: `sha256:${"ab".repeat(32)}`,
    spec: {
      ...container.spec,
      image: "busybox",
      host: { ...container.spec.host, logConfig: { type: "", options } },
    },
    effective: {
      ...container.effective,
      env: ["PATH=/bin", "MODE=a=b", "EMPTY=", "BARE"],
      labels: { tier: "web", "com.x/zone": "1", constructor: "c" },
    },
  };
}

describe("attributes of a log", () => {
  test.each([
    [{}, {}],
    [{ labels: "tier,nosuch" }, { tier: "web" }],
    [{ labels: "toString" }, {}],
    [{ "labels-regex": "^com\\." }, { "com.x/zone": "1" }],
    [{ env: "MODE,EMPTY,BARE" }, { EMPTY: "", MODE: "a=b" }],
    [
      { "env-regex": "^(PATH|MODE)$", labels: "tier" },
      { MODE: "a=b", PATH: "/bin", tier: "web" },
    ],
  ])("chosen by %j", (options, expected) => {
    expect(chosenAttributes(logged(options))).toEqual(expected);
  });

  test("have the tag only when one was asked for", () => {
    expect(entryAttributes(logged({ labels: "tier" }))).toEqual({ tier: "web" });
    expect(entryAttributes(logged({ tag: "{{.Name}}" }))).toEqual({ tag: "web" });
  });

  test.each([
    ["", ID.slice(0, 12)],
    ["{{.FullID}}", ID],
    ["{{.ImageName}}/{{.Name}}/{{.ID}}", `busybox/web/${ID.slice(0, 12)}`],
    ["{{.ImageID}}", "sha256:ababa"],
    ["{{.Command}}", "sh -c true"],
    ["{{.DaemonName}}", "bunker"],
    ['{{index .ContainerLabels "com.x/zone"}}', "1"],
    ["{{upper .Name}}\n", "WEB "],
  ])("tag %j", (tag, expected) => {
    expect(tagOf(logged({ tag }), "{{.ID}}")).toBe(expected);
  });

  test("that come to more than any message should carry are refused", () => {
    const container = logged({ env: "BIG" });
    const big = { ...container, effective: { ...container.effective, env: [`BIG=${"x".repeat(600_000)}`] } };
    expect(() => chosenAttributes(big)).toThrow("choose fewer");
  });

  test("are not searched for among names without end", () => {
    const container = logged({ "labels-regex": "x$" });
    const labels = { [`${"a".repeat(200_000)}!`]: "" };
    expect(() => chosenAttributes({ ...container, effective: { ...container.effective, labels } })).toThrow(
      /too many to search/,
    );
  });

  test("are named as the journal wants them", () => {
    expect(["com.x/zone", "_secret", "Aß1", "__"].map(fieldName)).toEqual([
      "COM_X_ZONE",
      "SECRET",
      "A_1",
      "",
    ]);
  });
});

describe("the journal's fields", () => {
  test("are the driver's own, whatever the labels are called", () => {
    const container = logged({ "labels-regex": "." });
    const labels = {
      message: "x",
      PRIORITY: "0",
      "container-id_full": "y",
      "syslog.timestamp": "z",
      tier: "web",
    };
    const fields = fieldsOf({ ...container, effective: { ...container.effective, labels } });
    expect(fields).toEqual({
      TIER: "web",
      CONTAINER_ID: ID.slice(0, 12),
      CONTAINER_ID_FULL: ID,
      CONTAINER_NAME: "web",
      CONTAINER_TAG: ID.slice(0, 12),
      IMAGE_NAME: "busybox",
      SYSLOG_IDENTIFIER: ID.slice(0, 12),
    });
  });
});

describe("the journal's bytes", () => {
  test("go there and back, with newlines in them", () => {
    const bytes = Buffer.from(journalFields({ MESSAGE: "hi", LONG: "a\nb=c", "": "dropped" }));
    expect(parseJournalEntry(bytes, 0)).toBeUndefined();
    const entry = parseJournalEntry(Buffer.concat([bytes, Buffer.from("\n")]), 0);
    expect([...(entry?.fields ?? [])].map(([name, value]) => [name, value.toString()])).toEqual([
      ["MESSAGE", "hi"],
      ["LONG", "a\nb=c"],
    ]);
    expect(entry?.end).toBe(bytes.length + 1);
    for (let cut = 0; cut < bytes.length; cut++)
      expect(parseJournalEntry(bytes.subarray(0, cut), 0)).toBeUndefined();
  });
});

describe("a socket's address", () => {
  test("is laid out as connect(2) takes it", () => {
    expect([...unixAddress("/x")]).toEqual([1, 0, 47, 120, 0]);
    expect([...inetAddress("127.0.0.1", 514)]).toEqual([2, 0, 2, 2, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const six = [...inetAddress("fd00::1", 514)];
    expect(six.slice(0, 9)).toEqual([10, 0, 2, 2, 0, 0, 0, 0, 0xfd]);
    expect([six.length, six[23]]).toEqual([28, 1]);
    expect(() => unixAddress(`/${"x".repeat(107)}`)).toThrow("at most 107 bytes");
  });
});
