/**
 * The stream number, in Docker's framing, of the last frame of what was run by POST /bunker/containers/{id}/exec or
 * /bunker/containers/run: its content is the exit code in decimal digits. Docker's own streams are 0 to 3.
 */
export const EXIT_STREAM = 4;

/** Docker's own: something went wrong on the daemon's side. The last frame of a container that could not be started. */
export const ERROR_STREAM = 3;

/** The header field that names such a command, for whoever asks about it afterwards. */
export const EXEC_FIELD = "Bunker-Exec";

/** And the one that names such a container. */
export const RUN_FIELD = "Bunker-Run";
/** What Docker's create would warn of: a list as JSON, percent-encoded. Absent when there is nothing. */
export const WARNINGS_FIELD = "Bunker-Warnings";
