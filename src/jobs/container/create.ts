import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import {
  type Container,
  type ContainerSpec,
  type Containers,
  type MountPoint,
  NEVER,
  nowNanoseconds,
  timestamp,
} from "#container";
import { defineJob, type EventBus } from "#engine";
import { Fault } from "#errors";
import type { Graph, Image, LayerId } from "#graph";
import { parsePlatform } from "#oci";
import type { Volumes } from "#volume";
import { findImage } from "../image/find.ts";
import { checkPlatform } from "../image/platform.ts";
import type { EngineSettings } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { withDefaults } from "./defaults.ts";
import { linksOf, settleLinks } from "./links.ts";
import { checkLog, driverOf } from "./log/options.ts";
import { mergeConfig } from "./merge.ts";
import { settleModes } from "./modes.ts";
import { settleMount, wantedMounts } from "./mounts.ts";
import { portRequests } from "./ports.ts";
import { settleRuntime } from "./runtime.ts";
import { validateHostSpec } from "./runtime-spec.ts";
import { checkedSizeLimit } from "./size-limit.ts";
import { checkUserNamespace } from "./user-namespace.ts";

/** Only root and the engine's group look into a container's folder. */
const DIRECTORY_MODE = 0o710;

interface Needs {
  readonly containers: Pick<Containers, "create" | "find" | "reserve">;
  readonly graph: { readonly driver: Pick<Graph["driver"], "create" | "limitable" | "name" | "remove"> } & {
    readonly images: Pick<Graph["images"], "find" | "get">;
  };
  readonly volumes: Pick<Volumes, "create" | "find" | "hold" | "release" | "remove">;
  readonly networks: Parameters<typeof settleModes>[0]["networks"];
  readonly events: Pick<EventBus, "publish">;
  readonly settings: Pick<
    EngineSettings,
    "dataRoot" | "defaults" | "defaultRuntime" | "runtimes" | "userNamespace"
  >;
}

const Input = z.object({
  name: z.string().optional(),
  spec: z.custom<ContainerSpec>((value) => typeof value === "object" && value !== null),
});

/** Writes the record of a new container, with its name, layer, folder and volumes; all of it or nothing. */
export const createContainer = (needs: Needs) =>
  defineJob({
    name: "container.create",
    input: Input,

    async run({ name, spec: requested }, { signal }) {
      const asked = withDefaults(requested, needs.settings.defaults);
      const image = imageOf(needs.graph.images, asked);
      const { spec, warnings } = checked(needs, asked);
      const limitBytes = await checkedSizeLimit(
        spec.host.storageOptions,
        needs.graph.driver,
        needs.settings.defaults.storage,
      );
      const id = randomId();
      const effective = mergeConfig(id, spec, image.config);
      portRequests({ spec, effective });
      const links = linksOf(needs, id, spec);
      const wanted = wantedMounts(
        { ...needs, images: needs.graph.images, dataRoot: needs.settings.dataRoot },
        spec,
        effective,
      );

      await using undo = new AsyncDisposableStack();
      const reserved = undo.use(needs.containers.reserve(id, name));
      const base = describe(id, { needs, spec, effective, image, name: reserved.name });
      await needs.graph.driver.create(base.layer as LayerId, {
        ...(image.top !== undefined && { parent: image.top }),
        writable: true,
        ...(limitBytes !== undefined && { limitBytes }),
      });
      undo.defer(() => needs.graph.driver.remove(base.layer as LayerId));
      mkdirSync(base.directory, { recursive: true, mode: DIRECTORY_MODE });
      undo.defer(() => rm(base.directory, { recursive: true, force: true }));
      undo.defer(() => needs.volumes.release(id));
      const mounts: MountPoint[] = [];
      for (const one of wanted) {
        const { mount, made } = await settleMount(needs.volumes, one, id);
        mounts.push(mount);
        if (made === undefined) continue;
        undo.defer(() => {
          needs.volumes.release(id);
          return needs.volumes.remove(made).catch(keepUsed);
        });
      }
      for (const volume of new Set(mounts.flatMap((mount) => mount.name ?? [])))
        needs.volumes.hold(volume, id);

      signal.throwIfAborted();
      // An image may have been removed since it was looked up: a container without one could never start.
      for (const used of [image.id, ...mounts.flatMap((mount) => mount.image?.id ?? [])])
        if (needs.graph.images.get(used as Image["id"]) === undefined) findImage(needs.graph.images, used);
      const container: Container = { ...base, mounts };
      needs.containers.create(container, links);
      undo.move();
      announcer(needs.events)(container, "create");
      return { id, warnings };
    },
  });

/** Everything that can be refused before anything is acquired. */
function checked(
  needs: Needs,
  asked: ContainerSpec,
): { readonly spec: ContainerSpec; readonly warnings: readonly string[] } {
  const { restartPolicy, autoRemove } = asked.host;
  if (autoRemove && restartPolicy.name !== "no")
    throw new Fault("invalid", "can't create 'AutoRemove' container with restart policy");
  if (restartPolicy.maximumRetryCount < 0)
    throw new Fault("invalid", "invalid restart policy: maximum retry count cannot be negative");
  if (restartPolicy.maximumRetryCount > 0 && restartPolicy.name !== "on-failure")
    throw new Fault(
      "invalid",
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  checkLog(asked.host.logConfig);
  const spec = settleLinks(settleModes(needs, settleRuntime(asked, needs.settings)));
  checkUserNamespace(spec.host, needs.settings.userNamespace);
  return { spec, warnings: [...validateHostSpec(spec), ...portWarnings(spec)] };
}

/** In Docker's words. */
function portWarnings({ host: { networkMode, portBindings } }: ContainerSpec): readonly string[] {
  const isDiscarded = networkMode === "host" && Object.keys(portBindings).length > 0;
  return isDiscarded ? ["Published ports are discarded when using host network mode"] : [];
}

/** The image meant, and the one that its platform asks for. */
function imageOf(images: Needs["graph"]["images"], spec: ContainerSpec): Image {
  const image = findImage(images, spec.image);
  if (spec.platform === undefined || spec.platform === "") return image;
  const wanted = parsePlatform(spec.platform);
  if (wanted === undefined)
    throw new Fault("invalid", `"${spec.platform.slice(0, 80)}" is an invalid platform`);
  checkPlatform(image.config, wanted, spec.image);
  return image;
}

function describe(
  id: string,
  parts: {
    readonly needs: Needs;
    readonly spec: ContainerSpec;
    readonly effective: Container["effective"];
    readonly image: Image;
    readonly name: string;
  },
): Container {
  const { needs, spec, effective, image, name } = parts;
  const directory = join(needs.settings.dataRoot, "containers", id);
  const [path = "", ...args] = [...effective.entrypoint, ...effective.command];
  return {
    id,
    name,
    created: timestamp(nowNanoseconds()),
    spec,
    path,
    args,
    effective,
    imageId: image.id,
    layer: id,
    mounts: [],
    state: {
      status: "created",
      pid: 0,
      startTicks: "",
      exitCode: 0,
      error: "",
      outOfMemory: false,
      startedAt: NEVER,
      finishedAt: NEVER,
    },
    restartCount: 0,
    isManuallyStopped: false,
    logPath: driverOf(spec.host.logConfig) === "json-file" ? join(directory, `${id}-json.log`) : "",
    directory,
    driver: needs.graph.driver.name,
  };
}

/** Somebody else has come to use a volume that was made for a container which then was not. */
function keepUsed(thrown: unknown): void {
  if (!(thrown instanceof Fault && thrown.kind === "conflict")) throw thrown;
}

function randomId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
