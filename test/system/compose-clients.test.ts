import { afterAll, beforeAll, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;

/** Three services, as people have them: a store with a volume and a check, a server in front of it, a worker. */
const PROJECT = `version: "2.4"
services:
  store:
    image: busybox
    command: sh -c 'test -e /data/kept || echo first > /data/kept; exec httpd -f -p 80 -h /data'
    volumes: ["data:/data"]
    networks: {back: {aliases: [database]}}
    healthcheck: {test: ["CMD", "wget", "-q", "-O-", "http://localhost/kept"], interval: 200ms, timeout: 20s, retries: 50}
  web:
    image: busybox
    command: sh -c 'echo web is up; exec httpd -f -p 80 -h /site'
    environment: {MODE: production}
    volumes: ["./site:/site:ro"]
    ports: ["8052:80"]
    networks: [front, back]
    depends_on: {store: {condition: service_healthy}}
    restart: unless-stopped
    logging: {driver: local, options: {max-size: 1m, max-file: "2"}}
  worker:
    image: busybox
    command: sh -c 'wget -q -O- http://database/kept; echo worker is up >&2; exec sleep 600'
    networks: [back]
    depends_on: {store: {condition: service_healthy}, web: {condition: service_started}}
    stop_grace_period: 1s
volumes:
  data: {labels: {tier: back}}
networks:
  front:
  back: {internal: true}
`;

let fake: FakeRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  await requirePackages(["docker-compose"]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

test(
  "docker-compose lives a project's life: up, look, scale, run, down, and down with its volumes",
  async () => {
    await using home = await scratch();
    await Bun.write(`${home.path}/docker-compose.yml`, PROJECT);
    await Bun.write(`${home.path}/site/index.html`, "the page");
    const compose = async (...words: readonly string[]) => {
      const program = ["/usr/bin/docker-compose", "--ansi", "never", "-p", "life"];
      const command = [...program, "-f", `${home.path}/docker-compose.yml`, ...words];
      const outcome = await run(command, {
        DOCKER_HOST: `unix://${daemon.socket}`,
        DOCKER_CONFIG: home.path,
      });
      if (outcome.code === 0) return outcome.stdout;
      throw new Error(`${words.join(" ")} ended with ${outcome.code}: ${outcome.stderr}`);
    };
    const shown = (name: string, template: string) => daemon.ok("inspect", "-f", template, name);

    await compose("up", "-d");
    expect(await compose("ps", "--services", "--filter", "status=running")).toBe("store\nweb\nworker\n");
    expect(await shown("life_store_1", "{{.State.Health.Status}}")).toBe("healthy");
    expect(await (await fetch("http://127.0.0.1:8052/")).text()).toBe("the page");
    expect(await compose("exec", "-T", "web", "sh", "-c", "echo $MODE; wget -q -O- http://store/kept")).toBe(
      "production\nfirst\n",
    );
    expect(await shown("life_web_1", "{{json .HostConfig.LogConfig}}")).toBe(
      '{"Type":"local","Config":{"max-size":"1m","max-file":"2"}}',
    );
    const said = await compose("logs", "--no-color");
    expect(said).toMatch(/web_1 +\| web is up\n/);
    expect(said).toMatch(/worker_1 +\| first\n/);
    expect(said).toMatch(/worker_1 +\| worker is up\n/);

    await compose("up", "-d", "--scale", "worker=3");
    expect(
      await compose("exec", "-T", "--index=3", "worker", "wget", "-q", "-O-", "http://database/kept"),
    ).toBe("first\n");
    const once = ["run", "--rm", "-T", "--no-deps", "-e", "MODE=once", "web", "sh", "-c", "echo $MODE"];
    expect(await compose(...once)).toBe("once\n");

    await compose("down", "-t", "0");
    expect(await daemon.ok("volume", "ls", "-q", "--filter", "label=tier=back")).toBe("life_data");
    await compose("up", "-d", "store");
    expect(await compose("exec", "-T", "store", "cat", "/data/kept")).toBe("first\n");
    await compose("down", "-v", "-t", "0");
    for (const kind of ["volume", "network"])
      expect(await daemon.ok(kind, "ls", "-q", "--filter", "label=com.docker.compose.project=life")).toBe("");
    expect(await daemon.ok("ps", "-aq")).toBe("");
  },
  4 * MINUTE,
);
