import type { Clock, Container, ContainerSpec, HostSpec } from "#container";

export const HOST: HostSpec = {
  binds: [],
  mounts: [],
  tmpfs: {},
  volumesFrom: [],
  volumeDriver: "",
  portBindings: {},
  publishAllPorts: false,
  networkMode: "default",
  dns: [],
  dnsOptions: [],
  dnsSearch: [],
  extraHosts: [],
  links: [],
  groupAdd: [],
  capAdd: [],
  capDrop: [],
  privileged: false,
  securityOptions: [],
  readonlyRootfs: false,
  devices: [],
  deviceCgroupRules: [],
  resources: {},
  ulimits: [],
  shmSizeBytes: 0,
  pidMode: "",
  ipcMode: "",
  utsMode: "",
  usernsMode: "",
  cgroupnsMode: "",
  cgroupParent: "",
  restartPolicy: { name: "no", maximumRetryCount: 0 },
  autoRemove: false,
  logConfig: { type: "", options: {} },
  oomScoreAdj: 0,
  sysctls: {},
  storageOptions: {},
  annotations: {},
  runtime: "",
};

/** A request for a container as the plainest `create` makes it. */
export function specOf(
  overrides: Partial<Omit<ContainerSpec, "host">> = {},
  host: Partial<HostSpec> = {},
): ContainerSpec {
  return {
    image: "busybox",
    env: [],
    user: "",
    workingDirectory: "",
    hostname: "",
    domainname: "",
    labels: {},
    exposedPorts: [],
    volumes: [],
    tty: false,
    openStdin: false,
    stdinOnce: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    networkDisabled: false,
    networks: {},
    ...overrides,
    host: { ...HOST, ...host },
  };
}

/** A record as `create` leaves it. */
export function recordOf(
  id: string,
  overrides: Partial<Omit<Container, "state">> & { readonly state?: Partial<Container["state"]> } = {},
): Container {
  return {
    name: `name-${id}`,
    created: "2026-01-02T03:04:05.000000000Z",
    spec: specOf(),
    path: "/bin/sh",
    args: [],
    effective: {
      env: [],
      entrypoint: [],
      command: ["/bin/sh"],
      workingDirectory: "",
      user: "",
      exposedPorts: [],
      volumes: [],
      labels: {},
      stopSignal: "SIGTERM",
      hostname: id,
    },
    imageId: "sha256:00",
    layer: id,
    mounts: [],
    restartCount: 0,
    isManuallyStopped: false,
    logPath: `/nowhere/${id}.log`,
    directory: `/nowhere/${id}`,
    driver: "fake",
    ...overrides,
    id,
    state: {
      status: "created",
      pid: 0,
      startTicks: "",
      exitCode: 0,
      error: "",
      outOfMemory: false,
      startedAt: "0001-01-01T00:00:00Z",
      finishedAt: "0001-01-01T00:00:00Z",
      ...overrides.state,
    },
  };
}

/** Keeps what is to happen later until the test lets it happen. */
export class FakeTimers implements Clock {
  readonly delays: number[] = [];
  #pending: (() => void) | undefined;
  readonly #asked = Promise.withResolvers<void>();
  /** Settles once something is to happen later. */
  readonly asked = this.#asked.promise;

  after(delay: number, callback: () => void): Disposable {
    this.delays.push(delay);
    this.#asked.resolve();
    this.#pending = callback;
    return {
      [Symbol.dispose]: () => {
        if (this.#pending === callback) this.#pending = undefined;
      },
    };
  }

  get isWaiting(): boolean {
    return this.#pending !== undefined;
  }

  fire(): void {
    const callback = this.#pending;
    this.#pending = undefined;
    callback?.();
  }
}
