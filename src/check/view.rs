//! What checks look at: a run, read-only.

use super::window::{FaultTimes, Frame};
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::metrics::{LatencyRow, LinkSample, SampleRow};

/// A run. Times are nanoseconds since its go.
#[derive(Clone, Debug)]
pub struct View<'r> {
    /// The lab.
    pub lab: &'r Lab,
    /// Warm-up, end, and when nothing was measured.
    pub frame: Frame,
    /// Every occurrence of a fault that came into effect, in that order.
    pub faults: Vec<FaultTimes>,
    /// Deaths and returns of nodes.
    pub lives: Vec<Life>,
    /// Requests.
    pub latency: &'r [LatencyRow],
    /// Values of metrics.
    pub samples: &'r [SampleRow],
    /// What ordered pairs carried.
    pub links: &'r [LinkSample],
    /// Whether the run goes on, so that what grows is not all yet.
    pub running: bool,
}

/// A node died or came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When.
    pub t: i64,
    /// Who.
    pub node: NodeIndex,
    /// What.
    pub what: LifeEvent,
}

/// What can happen to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeEvent {
    /// Its processes are gone.
    Died {
        /// Whether a fault wanted it.
        wanted: bool,
    },
    /// Its network is there, at the start or again.
    Wired,
}
