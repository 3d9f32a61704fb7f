import { sendDatagram } from "#host";

/** Tells systemd, if it started us. Source: sd_notify(3). A systemd that does not listen is no reason to stop. */
export function notifySystemd(state: string): void {
  const { NOTIFY_SOCKET: path } = process.env;
  if (path !== undefined) sendDatagram(path, state);
}
