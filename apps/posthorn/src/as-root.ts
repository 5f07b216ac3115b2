import { Failure } from './failure.ts'

/** The environment variable that allows what `--allow-root` does, for test runs and images. */
const allowing = 'POSTHORN_ALLOW_ROOT'

export interface RootOptions {
  readonly config?: string
  readonly allowRoot?: boolean
}

/**
 * A server has no use for root's rights: plugins run with them, what root delivers no user owns, and a fault in anything is one in the
 * whole machine. Throws Failure for a configured server that root starts, unless that is allowed. What is to be said of development
 * mode, which listens on loopback and goes on, is the result.
 */
export const objectToRoot = (
  { config, allowRoot = process.env[allowing] === '1' }: RootOptions,
  us: number | undefined = process.geteuid?.(),
): string | undefined => {
  if (us !== 0 || allowRoot) return undefined
  if (config === undefined)
    return 'this runs as root, which development needs no more than a server does; with --config it would be refused'
  throw new Failure(
    'a server does not run as root: start it as a user of its own, to whom its state directory belongs, by User= in a systemd unit, ' +
      'USER in a container, or runuser -u posthorn. Ports below 1024 want CAP_NET_BIND_SERVICE (AmbientCapabilities= in a unit) or ' +
      `net.ipv4.ip_unprivileged_port_start, and no root. --allow-root, or ${allowing}=1 in the environment, starts it all the same`,
  )
}
