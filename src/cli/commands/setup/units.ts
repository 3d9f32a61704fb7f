/**
 * The daemon under systemd. KillMode and Delegate leave containers alone when it is stopped; a daemon comes before its
 * containers when memory runs out. Source: systemd.service(5), systemd.kill(5), systemd.resource-control(5).
 */
export function serviceUnit(program: string): string {
  return `[Unit]
Description=bunker container engine
Wants=network-online.target
After=network-online.target nss-lookup.target firewalld.service bunker.socket
Requires=bunker.socket

[Service]
Type=notify
NotifyAccess=main
ExecStart=${escaped(program)} daemon -H fd://
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutStartSec=0
Restart=always
RestartSec=2
KillMode=process
Delegate=yes
OOMScoreAdjust=-500
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`;
}

/** The first client that comes starts the daemon. `group` may use the socket, as root may. */
export function socketUnit(group: string): string {
  return `[Unit]
Description=bunker container engine's socket

[Socket]
ListenStream=/run/bunker/bunker.sock
SocketMode=0660
SocketUser=root
SocketGroup=${group}
DirectoryMode=0711

[Install]
WantedBy=sockets.target
`;
}

/** As one word of a command line. Source: systemd.service(5), "Command lines". */
const escaped = (path: string): string =>
  `"${path
    .replace(/["\\]/g, "\\$&")
    .replace(/%/g, "%%")
    .replace(/\$/g, () => "$$$$")}"`;
