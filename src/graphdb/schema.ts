/**
 * Every table and edge kind. A row is a claim by its one writer; `record` columns hold that writer's own
 * JSON, and what must be unique or looked up is a column or an edge of its own.
 */

/** Migrations in order: the number of those applied stands in `PRAGMA user_version`. */
export const MIGRATIONS: readonly string[] = [
  `
  -- Named relations between nodes, as in Docker's first GraphDB: under one parent a name is taken once.
  --   container-name  parent '/'            name of the container      child container id
  --   container-link  parent container id   alias                      child container id
  --   image-tag       parent repository     tag or digest              child image id
  --   image-parent    parent image id       '' (one parent only)       child parent image id
  --   network-name    parent '/'            name of the network        child network id
  CREATE TABLE edge (
    kind   TEXT NOT NULL,
    parent TEXT NOT NULL,
    name   TEXT NOT NULL,
    child  TEXT NOT NULL,
    PRIMARY KEY (kind, parent, name)
  ) WITHOUT ROWID;
  CREATE INDEX edge_child ON edge (kind, child);

  -- Containers. Writer: container/store.ts
  CREATE TABLE container (
    id      TEXT PRIMARY KEY,
    created INTEGER NOT NULL,             -- milliseconds since the epoch
    record  TEXT NOT NULL
  ) WITHOUT ROWID;

  -- Image layers by chain id. Writer: graph/layers.ts
  CREATE TABLE layer (
    chain_id TEXT PRIMARY KEY,
    parent   TEXT REFERENCES layer (chain_id),
    diff_id  TEXT NOT NULL,
    blob     TEXT,                        -- digest of the compressed blob in the content store, if it is kept
    media_type TEXT,
    size     INTEGER NOT NULL             -- bytes when unpacked
  ) WITHOUT ROWID;
  CREATE INDEX layer_parent ON layer (parent);
  CREATE INDEX layer_diff ON layer (diff_id);

  -- Images by configuration digest. Writer: graph/store.ts
  CREATE TABLE image (
    id       TEXT PRIMARY KEY,
    top      TEXT REFERENCES layer (chain_id),
    created  INTEGER NOT NULL,            -- milliseconds since the epoch: when it came to this host
    record   TEXT NOT NULL
  ) WITHOUT ROWID;

  -- Networks and what is joined to them. Writer: network/store.ts
  CREATE TABLE network (
    id     TEXT PRIMARY KEY,
    record TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE endpoint (
    container TEXT NOT NULL,
    network   TEXT NOT NULL REFERENCES network (id),
    address   TEXT,
    record    TEXT NOT NULL,
    PRIMARY KEY (container, network)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX endpoint_address ON endpoint (network, address);

  -- Volumes and who holds them. Writer: volume/store.ts
  CREATE TABLE volume (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE volume_use (
    volume    TEXT NOT NULL REFERENCES volume (name),
    container TEXT NOT NULL,
    PRIMARY KEY (volume, container)
  ) WITHOUT ROWID;
  `,
  `
  -- The boot in which a layer was unpacked, until its tree is known to have reached the disk: after a power cut
  -- the tree of such a layer is made again from its blob, which always has.
  ALTER TABLE layer ADD COLUMN unsynced_boot TEXT;
  `,
  `
  -- Who has a volume mounted that must be mounted to be seen: written before the mount. Writer: volume/store.ts
  CREATE TABLE volume_mount (
    volume TEXT NOT NULL REFERENCES volume (name),
    holder TEXT NOT NULL,                 -- container id, or what else has it mounted
    PRIMARY KEY (volume, holder)
  ) WITHOUT ROWID;
  `,
  `
  -- Whether a volume's first content is being copied into it where it is.
  ALTER TABLE volume ADD COLUMN filling INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Running containers that have a network, and what they share beside endpoints. Writer: network/store.ts
  CREATE TABLE sandbox (
    container TEXT PRIMARY KEY,
    record    TEXT NOT NULL
  ) WITHOUT ROWID;
  -- What was given last of each pool: given back, it is given again last, also after a start of the daemon.
  -- Writer: network/store.ts
  CREATE TABLE pool_cursor (
    pool TEXT PRIMARY KEY,                -- 'subnets/FAMILY', or NETWORK/SUBNET
    last TEXT NOT NULL
  ) WITHOUT ROWID;

  -- Networks had one IPv4 subnet at most, and containers one network.
  UPDATE network SET record = json_set(json_remove(record, '$.subnet', '$.gateway', '$.ipv6Subnet'),
    '$.scope', 'local', '$.isAttachable', json('false'), '$.isIpv4', json('true'), '$.isIpv6', json('false'),
    '$.ipam', json_object(
      'driver', CASE json_extract(record, '$.driver') WHEN 'bridge' THEN 'default' ELSE 'null' END,
      'options', json('{}'),
      'pools', json(CASE coalesce(json_extract(record, '$.subnet'), '') WHEN '' THEN '[]' ELSE json_array(json_object(
        'family', 4, 'subnet', json_extract(record, '$.subnet'), 'gateway', json_extract(record, '$.gateway'),
        'range', '', 'auxiliary', json('{}'))) END)));
  UPDATE network SET record = json_set(record, '$.options."com.docker.network.bridge.default_bridge"', 'true')
    WHERE json_extract(record, '$.driver') = 'bridge';
  INSERT INTO sandbox (container, record) SELECT container, json_object(
    'containerId', container, 'containerName', json_extract(record, '$.containerName'),
    'directory', json_extract(record, '$.directory'), 'hostname', substr(container, 1, 12), 'domainname', '',
    'namespace', CASE (SELECT json_extract(record, '$.driver') FROM network WHERE id = network) WHEN 'host' THEN 'host' ELSE 'new' END,
    'dns', json('[]'), 'dnsSearch', json('[]'), 'dnsOptions', json('[]'), 'extraHosts', json('[]'),
    'ports', json(json_extract(record, '$.ports'))) FROM endpoint;
  UPDATE endpoint SET record = json_set(record, '$.endpoint.dnsNames', json('[]'), '$.endpoint.gatewayPriority', 0,
    '$.endpoint.driverOptions', json('{}'),
    '$.endpoint.interfaceName', CASE json_extract(record, '$.endpoint.address') WHEN '' THEN '' ELSE 'eth0' END,
    '$.way', json_object('gateway', json_extract(record, '$.endpoint.gateway')));
  UPDATE container SET record = json_set(record, '$.spec.networks', json_object(
      CASE WHEN json_extract(record, '$.spec.host.networkMode') IN ('host', 'none')
        THEN json_extract(record, '$.spec.host.networkMode') ELSE 'bridge' END,
      json('{"aliases":[],"links":[],"linkLocalAddresses":[],"gatewayPriority":0,"driverOptions":{}}')))
    WHERE json_extract(record, '$.spec.networks') = '{}'
      AND json_extract(record, '$.spec.host.networkMode') NOT LIKE 'container:%';
  `,
  `
  -- When a container was last made of it or started on it, milliseconds since the epoch, to about an hour.
  ALTER TABLE image ADD COLUMN last_used INTEGER NOT NULL DEFAULT 0;
  `,
];
