import { describeRows, type Row } from "./rows.ts";

/** One row for each feature of volumes and mounts that must be there, with the tests that would fail without it. */
const ROWS: readonly Row[] = [
  {
    feature: "Named volumes: create, ls, inspect, rm, prune",
    tests: {
      "test/system/volume-commands.test.ts": [
        "makes, shows, uses, refuses to remove and prunes volumes",
        "volumes are listed by each filter",
        "what happens to volumes is told",
      ],
      "test/system/volume-drivers.test.ts": ["other options for a volume that is there are a conflict"],
      "test/system/mounts.test.ts": ["in use cannot be removed"],
    },
  },
  {
    feature: "Anonymous volumes from VOLUME, copy-up of image content on first use",
    tests: {
      "test/system/mounts.test.ts": [
        "take over what the image has there, with owner, mode and content, once",
        "without a name go with --rm, and with rm -v; those with one stay",
      ],
      "test/system/volume-commands.test.ts": [
        "without a name and unused, by default; none of them unasked (E14)",
      ],
    },
  },
  {
    feature: "`-v src:dst:opts`",
    tests: {
      "test/system/mounts.test.ts": ["of what is not there: -v makes a folder, --mount refuses"],
      "test/system/mount-forms.test.ts": ["z, Z, cached, delegated and consistent change nothing"],
      "test/unit/jobs/mount-grammar.test.ts": ["the grammar of -v"],
    },
  },
  {
    feature: "`--mount` type bind, volume, tmpfs, image, cluster, npipe",
    tests: {
      "test/system/mount-forms.test.ts": ["bind-propagation", "bind-recursive", "bind-create-src"],
      "test/system/mount-kinds.test.ts": [
        "volume-label, volume-driver and volume-nocopy are the volume's",
        "are seen whole or in part, and nobody writes to them",
      ],
    },
  },
  {
    feature: "tmpfs",
    tests: {
      "test/system/mounts.test.ts": ["is empty, bounded and has its options"],
      "test/system/mount-kinds.test.ts": [
        "takes options, a mode of its own, or that of the folder it covers",
      ],
    },
  },
  {
    feature: "Recursive read-only binds (kernel 5.12)",
    tests: { "test/system/mount-forms.test.ts": ["ro of -v is read-only below as well"] },
  },
  {
    feature: "Volume drivers/plugins, local driver with type/o/device (nfs, cifs, tmpfs)",
    tests: {
      "test/system/volume-drivers.test.ts": [
        "of a tmpfs is mounted for the first container and unmounted after the last",
        "outlives a daemon that is killed",
      ],
      "test/system/host/volume-quota.test.ts": ["size"],
      "test/system/plugins.test.ts": ["a plugin that is a program"],
    },
  },
  {
    feature: "volumes-from",
    tests: {
      "test/system/mounts.test.ts": ["come from another container with --volumes-from, read-only when asked"],
      "test/system/mount-kinds.test.ts": [
        "of others stay with who takes them over, whatever becomes of the first",
      ],
    },
  },
  {
    feature: "nested mount order by path depth",
    tests: {
      "test/system/mount-kinds.test.ts": [
        "are mounted from the outside in, whatever order they come in",
        "that are links in the image are what they mean there",
      ],
    },
  },
  {
    feature: "Docker managed volume root layout `volumes/<name>/_data`",
    tests: { "test/unit/volume/volumes.test.ts": ["are folders by their name, and listed by it"] },
  },
  {
    feature: "volume export/import/mount/reload, uid/gid option",
    tests: {
      "test/system/volume-content.test.ts": [
        "goes out as an archive and comes back in another volume as it was",
        "an end of the daemon in the middle (E14)",
      ],
    },
  },
  {
    feature: "cp into/out of mounts and stopped containers",
    tests: {
      "test/system/cp.test.ts": ["gives files to root unless their owners are to go along"],
      "test/system/archive.test.ts": ["nothing leads out of a container"],
      "test/system/mount-kinds.test.ts": ["parts and images are there for cp while the container is at rest"],
    },
  },
  {
    feature: "idmapped binds, SELinux relabel, overlay volume `:O`, `:U` chown",
    tests: {
      "test/system/mount-forms.test.ts": [
        "alone means who runs the client",
        "O keeps what is written to one life, and the source as it is",
      ],
    },
  },
];

describeRows(ROWS, "## 9. Volumes and mounts");
