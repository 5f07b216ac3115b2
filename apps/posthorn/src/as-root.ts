/** The environment variable by which somebody says that root is meant, in a test run or a container. */
const meant = 'POSTHORN_ALLOW_ROOT'

/**
 * What is to be said to root who starts a server: it has no use for root's rights, plugins run with them, what root delivers no user
 * owns, and a fault in anything is one in the whole machine. Undefined for anybody else, and where it is meant.
 */
export const warningToRoot = (
  us: number | undefined = process.geteuid?.(),
  allowed: string | undefined = process.env[meant],
): string | undefined =>
  us !== 0 || allowed === '1'
    ? undefined
    : 'this runs as root, whose rights it does not need and its plugins would have: start it as a user of its own, to whom its state ' +
      'directory belongs, by User= in a systemd unit, USER in a container, or runuser -u posthorn. Ports below 1024 want ' +
      `CAP_NET_BIND_SERVICE (AmbientCapabilities= in a unit) or net.ipv4.ip_unprivileged_port_start. ${meant}=1 says that it is meant`
