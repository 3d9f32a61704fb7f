/** Brings the loopback of a new network namespace up, then runs the command given and ends as it does. */
const [, , ...command] = process.argv;

const up = Bun.spawnSync(["ip", "link", "set", "lo", "up"], { stderr: "inherit" });
if (up.exitCode !== 0) throw new Error("Cannot bring the loopback up: ip ended with an error");
const child = Bun.spawn(command, { stdio: ["inherit", "inherit", "inherit"] });
process.exit(await child.exited);
