import { test } from "bun:test";
import { expectLiving, type Living } from "./rows.ts";

const restarts = (...words: string[]): Living => ["test/unit/container/restarts.test.ts", ...words];
const restart = (...words: string[]): Living => ["test/system/restart.test.ts", ...words];
const health = (...words: string[]): Living => ["test/system/health.test.ts", ...words];
const order = (...words: string[]): Living => ["test/unit/jobs/recover.test.ts", ...words];
const flags: Living = [
  "test/system/health-clients.test.ts",
  "--init, --stop-signal and --stop-timeout have their effect",
];

/** What is asked of a container's lives: when it begins, is well, ends, and begins again. */
const ROWS: Readonly<Record<string, Living>> = {
  "restart policies": restart("F7: on-failure:2 starts a container that fails two more times"),
  "Docker's back-off": restarts(
    "is started with delays that double, to a minute",
    "anew after ten seconds of life",
  ),
  "a stop during the delay": restarts("stopped in its delay it rests at once"),
  "--rm": ["test/system/run-flags-life.test.ts", "--restart and --rm say what follows an end"],
  "health: every option": ["test/system/run-flags-life.test.ts", "--health-*: every one of them counts"],
  "health: start-interval": [
    "test/unit/container/health.test.ts",
    "are frequent and forgiven in the start period",
  ],
  "health: states in ps, and events": health(
    "finds a container healthy, unhealthy and healthy again, and says so everywhere",
  ),
  "health: a check that hangs": health("that hangs is ended with all its processes after its timeout"),
  "--init": restart("with --init %p an orphan %s"),
  "--stop-signal": flags,
  "--stop-timeout": flags,
  "start with the daemon": restart("those start again whose policy says so, whatever a person has stopped"),
  "in the order of need": restart("containers start again after those that they need"),
  "after network:container": order("a namespace of another"),
  "after links": order("a link to another"),
  "after volumes-from": order("volumes of another"),
  "a circle of needs": order("a circle is broken, with a warning"),
  "stopping with the daemon": ["test/system/daemon-settings.test.ts", "ends containers with the daemon"],
  "live state after crashes": ["test/system/crash.test.ts", "is never mistaken for its earlier life"],
  "an end while no daemon was there": [
    "test/system/main.test.ts",
    "an end while no daemon was there is known",
  ],
};

test.each(Object.entries(ROWS))("%s is tested", (_name, living) => expectLiving(living));
