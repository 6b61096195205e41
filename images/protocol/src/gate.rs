//! The start gate's handshake. It is frozen: an `init` of any build talks to an agent of any build.
//!
//! `init` connects to [`SOCKET`] and sends nothing: the agent knows it by the credentials of the
//! connection. The agent wires the caller's network namespace and, when the lab says go, answers
//! one line: [`GO`], or [`REFUSE`] followed by a reason. A connection that closes without a line
//! means that the agent restarted: `init` knocks again.

/// Where nodes find the folder of the lab's volume (mounted read-only).
pub const MOUNT: &str = "/.netlab";
/// The gate's program inside [`MOUNT`], the entrypoint of every node.
pub const INIT: &str = "/.netlab/init";
/// The gate's socket, as a node sees it.
pub const SOCKET: &str = "/.netlab/gate.sock";
/// The agent's answer that opens the gate.
pub const GO: &str = "go\n";
/// The start of the agent's answer to a caller that is not a node of its lab.
pub const REFUSE: &str = "refuse ";
