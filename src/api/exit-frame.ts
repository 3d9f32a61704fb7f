/**
 * The stream number, in Docker's framing, of the last frame of a command that was run by POST
 * /bunker/containers/{id}/exec: its content is the exit code in decimal digits. Docker's own streams are 0 to 3.
 */
export const EXIT_STREAM = 4;

/** The header field that names such a command, for whoever asks about it afterwards. */
export const EXEC_FIELD = "Bunker-Exec";
