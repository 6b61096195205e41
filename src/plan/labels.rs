//! Labels: the only proof of ownership.
//!
//! netlab's images carry owner and build, and a container has its image's labels, whoever made it:
//! what belongs to a lab is known by [`LAB`] and nothing less.

/// The lab's name.
pub const LAB: &str = "netlab.lab";
/// Made once per creation of a lab.
pub const INSTANCE: &str = "netlab.instance";
/// The node's name; [`AGENT`] for the agent.
pub const NODE: &str = "netlab.node";
/// Who made it: `$NETLAB_OWNER` or `<user>@<host>` of the CLI.
pub const OWNER: &str = "netlab.owner";
/// The build of netlab that made it.
pub const BUILD: &str = "netlab.build";
/// Hash of the configuration it was made from.
pub const CONFIG_HASH: &str = "netlab.config-hash";
/// On the agent: how many nodes the lab had at its creation, so that a half-made lab is known as
/// one; with another number it may have been converged since.
pub const NODES: &str = "netlab.nodes";
/// Value of [`NODE`] for the agent; `agent` is therefore refused as a node's name.
pub const AGENT: &str = "agent";
