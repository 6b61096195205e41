//! What netlab's agent and its nodes say to each other, and the few pure functions both need.
//!
//! Owns the wire types of the two unix sockets in the lab's volume ([`gate`], [`control`]), the
//! resolved description of a role ([`role`]), the latency buckets ([`latency`]) and counter-based
//! draws ([`draw`]), and how nodes are told to misbehave ([`conduct`]). Must not know Docker, YAML, clocks, sockets or files.

pub mod conduct;
pub mod control;
pub mod draw;
pub mod duration;
pub mod gate;
pub mod latency;
pub mod role;

/// Version of everything in this crate but the gate's handshake, which is frozen.
pub const PROTOCOL: u32 = 1;
