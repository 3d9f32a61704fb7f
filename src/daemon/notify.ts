import { tryRun } from "#host";

/**
 * Tells systemd, if it started us. Source: sd_notify(3). The socket is a datagram one, which neither Bun nor Node
 * can open, so systemd's own program carries the word.
 */
export async function notifySystemd(state: string): Promise<void> {
  const { NOTIFY_SOCKET: socket } = process.env;
  if (socket === undefined) return;
  await tryRun(["systemd-notify", state], { environment: { NOTIFY_SOCKET: socket } }).catch(() => undefined);
}
