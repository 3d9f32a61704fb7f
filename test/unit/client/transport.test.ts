import { describe, expect, test } from "bun:test";
import { Duplex, Transport } from "#client";
import { textOf } from "../../../src/client/transport.ts";
import { type FakeConnection, fakeDaemon, frame } from "../../fakes/fake-daemon.ts";

async function* input(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe("a call", () => {
  test("says version, query and JSON body, and gets JSON back", async () => {
    await using daemon = await fakeDaemon((_, connection) => connection.reply(200, { ok: true }));
    using transport = new Transport(daemon.host);
    const query = { name: "a b&c", all: 1, none: undefined };
    expect(await transport.json("POST", "/x", { query, body: { n: "ü" } })).toEqual({ ok: true });
    const [request] = daemon.requests;
    expect(request?.target).toBe("/x?name=a%20b%26c&all=1");
    expect(request?.version).toBe("1.50");
    expect(Buffer.from(request?.body ?? "", "latin1").toString()).toBe('{"n":"ü"}');
  });

  test("uses the connection of the call before it", async () => {
    await using daemon = await fakeDaemon((_, connection) => connection.reply(200, 1));
    using transport = new Transport(daemon.host);
    for (let call = 0; call < 3; call++) await transport.json("GET", "/x");
    expect(daemon.requests.map(({ connection }) => connection)).toEqual([0, 0, 0]);
  });

  test("has a connection of its own while another reply is still on its way", async () => {
    let first: FakeConnection | undefined;
    await using daemon = await fakeDaemon(({ target }, connection) => {
      if (target === "/slow") {
        first = connection;
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
      } else connection.reply(200, "fast");
    });
    using transport = new Transport(daemon.host);
    const slow = await transport.call("GET", "/slow");
    expect(await transport.json<string>("GET", "/fast")).toBe("fast");
    first?.write("1\r\nc\r\n0\r\n\r\n");
    expect(await textOf(slow)).toBe("abc");
  });

  test("asks once more when a kept connection turns out to be closed", async () => {
    await using daemon = await fakeDaemon((request, connection) => {
      if (request.connection === 0 && daemon.requests.length === 2) connection.end();
      else connection.reply(200, request.connection);
    });
    using transport = new Transport(daemon.host);
    expect(await transport.json<number>("GET", "/x")).toBe(0);
    expect(await transport.json<number>("GET", "/x")).toBe(1);
  });

  test("that is refused throws the daemon's sentence, with the kind of its status", async () => {
    await using daemon = await fakeDaemon((_, connection) => connection.reply(409, { message: "is paused" }));
    using transport = new Transport(daemon.host);
    const thrown = await transport.send("POST", "/x").catch((fault: unknown) => fault);
    expect(thrown).toMatchObject({ kind: "conflict", message: "Error response from daemon: is paused" });
  });

  test("speaks an older version when the daemon names one", async () => {
    await using daemon = await fakeDaemon(({ version }, connection) => {
      const message = `client version ${version} is too new. Maximum supported API version is 1.41`;
      if (version === "1.41") connection.reply(200, "old");
      else connection.reply(400, { message });
    });
    using transport = new Transport(daemon.host);
    expect(await transport.json<string>("GET", "/x")).toBe("old");
    expect(transport.apiVersion).toBe("1.41");
  });

  test("knows which version an older daemon speaks before it sends what it can send only once", async () => {
    await using daemon = await fakeDaemon(({ method, target, version }, connection) => {
      const message = `client version ${version} is too new. Maximum supported API version is 1.41`;
      if (target === "/_ping") return connection.reply(version === "1.41" ? 200 : 400, { message });
      if (method === "POST") connection.reply(version === "1.41" ? 200 : 400, { message: `as ${version}` });
    });
    using transport = new Transport(daemon.host);
    const reply = await transport.upload("POST", "/images/load", { stream: input("content") });
    expect(await textOf(reply)).toBe('{"message":"as 1.41"}');
    const pings = daemon.requests.filter(({ target }) => target === "/_ping");
    expect(pings.map(({ version }) => version)).toEqual(["1.50", "1.41"]);
  });

  test("whose reply is cut short fails", async () => {
    await using daemon = await fakeDaemon((_, connection) => {
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      connection.end();
    });
    using transport = new Transport(daemon.host);
    await expect(transport.json("GET", "/x")).rejects.toThrow("the daemon closed the connection");
  });

  test("to nobody says so, with the address", async () => {
    using transport = new Transport("unix:///nonexistent/daemon.sock");
    await expect(transport.json("GET", "/x")).rejects.toThrow(
      "Cannot connect to the bunker daemon at unix:///nonexistent/daemon.sock. Is the bunker daemon running?",
    );
  });

  test("that is left half-way ends its connection, so that the daemon can stop working", async () => {
    const gone = Promise.withResolvers<void>();
    await using daemon = await fakeDaemon((_, connection) => {
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
      void connection.ended.then(gone.resolve);
    });
    using transport = new Transport(daemon.host);
    for await (const _ of (await transport.call("GET", "/x")).body) break;
    await gone.promise;
  });
});

describe("an attached stream", () => {
  test("goes on with output after input has ended", async () => {
    let heard = "";
    await using daemon = await fakeDaemon(async (_, connection) => {
      connection.upgrade();
      heard = await connection.input();
      connection.write(frame(1, "late output"));
      connection.write(frame(2, "late error"));
      connection.end();
    });
    using transport = new Transport(daemon.host);
    using duplex = new Duplex(await transport.upgrade("/containers/x/attach"), false);
    const got = { stdout: "", stderr: "" };
    const output = duplex.output((stream, bytes) => {
      got[stream] += Buffer.from(bytes).toString();
    });
    await duplex.input(input("one ", "two"));
    await output;
    expect(heard).toBe("one two");
    expect(got).toEqual({ stdout: "late output", stderr: "late error" });
    expect(daemon.requests[0]?.fields.get("upgrade")).toBe("tcp");
  });

  test("of a terminal is raw", async () => {
    await using daemon = await fakeDaemon((_, connection) => {
      connection.upgrade("application/vnd.docker.raw-stream");
      connection.write("\x01\x00\x00");
      connection.end();
    });
    using transport = new Transport(daemon.host);
    using duplex = new Duplex(await transport.upgrade("/x"), true);
    let got = "";
    await duplex.output((_, bytes) => {
      got += Buffer.from(bytes).toString("latin1");
    });
    expect(got).toBe("\x01\x00\x00");
  });

  test("keeps what came in one piece with the head", async () => {
    await using daemon = await fakeDaemon((_, connection) => {
      const head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n";
      connection.write(Buffer.concat([Buffer.from(head), frame(1, "at once")]));
      connection.end();
    });
    using transport = new Transport(daemon.host);
    using duplex = new Duplex(await transport.upgrade("/x"), false);
    let got = "";
    await duplex.output((_, bytes) => {
      got += Buffer.from(bytes).toString();
    });
    expect(got).toBe("at once");
  });

  test("that is refused throws the daemon's sentence", async () => {
    await using daemon = await fakeDaemon((_, connection) =>
      connection.reply(404, { message: "No such container: x" }),
    );
    using transport = new Transport(daemon.host);
    await expect(transport.upgrade("/x")).rejects.toThrow("No such container: x");
  });

  test("takes more than the socket's buffer holds", async () => {
    const megabyte = "x".repeat(1 << 20);
    let heard = 0;
    await using daemon = await fakeDaemon(async (_, connection) => {
      connection.upgrade();
      heard = (await connection.input()).length;
      connection.end();
    });
    using transport = new Transport(daemon.host);
    using duplex = new Duplex(await transport.upgrade("/x"), false);
    const output = duplex.output(() => undefined);
    await duplex.input(input(megabyte, megabyte, megabyte, megabyte));
    await output;
    expect(heard).toBe(4 << 20);
  });
});
