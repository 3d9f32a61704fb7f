/** Compose and the SDKs look for these very words to learn that there is no swarm. */
export const NO_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** What leaving one is answered with. */
export const NOT_IN_SWARM = "This node is not part of a swarm";
