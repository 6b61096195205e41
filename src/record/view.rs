//! A run as checks and reports look at it: when what happened, out of its events.
//!
//! Must not judge.

use super::Run;
use super::event::{Event, What};
use crate::check::{FaultTimes, Frame, Life, LifeEvent, View};
use crate::lab::Lab;
use crate::metrics::{LatencyRow, LinkSample, SampleRow};

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'r> {
    /// Requests.
    pub latency: &'r [LatencyRow],
    /// Values of metrics.
    pub samples: &'r [SampleRow],
    /// What ordered pairs carried.
    pub links: &'r [LinkSample],
}

/// The run as checks look at it.
pub fn view(run: &Run) -> View<'_> {
    let rows = Rows {
        latency: &run.latency,
        samples: &run.samples,
        links: &run.links,
    };
    of(&run.lab, &run.events, rows)
}

/// The same of a run that is not read from disk.
pub fn of<'r>(lab: &'r Lab, events: &[Event], rows: Rows<'r>) -> View<'r> {
    View {
        lab,
        frame: frame(events),
        faults: faults(events),
        lives: lives(lab, events),
        latency: rows.latency,
        samples: rows.samples,
        links: rows.links,
        running: false,
    }
}

/// Deaths and returns of nodes.
fn lives(lab: &Lab, events: &[Event]) -> Vec<Life> {
    let life = |event: &Event| {
        let (name, what) = match &event.what {
            What::NodeDied { node, fault, .. } => {
                let wanted = fault.is_some();
                (node, LifeEvent::Died { wanted })
            }
            What::NodeWired { node } => (node, LifeEvent::Wired),
            _ => return None,
        };
        Some(Life {
            t: event.t,
            node: lab.node(name)?,
            what,
        })
    };
    events.iter().filter_map(life).collect()
}

/// The frame that the events tell.
pub fn frame(events: &[Event]) -> Frame {
    let mut frame = Frame::default();
    let mut planned = None;
    for event in events {
        frame.end = frame.end.max(event.t);
        match &event.what {
            What::RunStarted { warmup, end, .. } => (frame.warmup, planned) = (*warmup, *end),
            What::AgentResumed { from } => frame.blind.push(*from..event.t),
            _ => {}
        }
    }
    if let Some(planned) = planned {
        frame.end = frame.end.min(planned);
    }
    frame
}

/// All occurrences of faults that came into effect, in that order.
pub fn faults(events: &[Event]) -> Vec<FaultTimes> {
    let mut faults: Vec<FaultTimes> = Vec::new();
    for event in events {
        match &event.what {
            What::FaultBegan {
                fault,
                occurrence,
                kind,
                target,
                due,
                requested,
                held,
            } => faults.push(FaultTimes {
                name: fault.clone(),
                occurrence: *occurrence,
                kind: kind.clone(),
                target: target.clone(),
                due: *due,
                requested: *requested,
                began: event.t,
                heal_due: None,
                heal_started: None,
                healed: None,
                held: held.clone(),
            }),
            What::HealStarted {
                fault,
                occurrence,
                due,
            } => {
                if let Some(open) = open(&mut faults, fault, *occurrence) {
                    (open.heal_due, open.heal_started) = (Some(*due), Some(event.t));
                }
            }
            What::FaultHealed { fault, occurrence } => {
                if let Some(open) = open(&mut faults, fault, *occurrence) {
                    open.healed = Some(event.t);
                }
            }
            _ => {}
        }
    }
    faults
}

fn open<'a>(
    faults: &'a mut [FaultTimes],
    name: &str,
    occurrence: u32,
) -> Option<&'a mut FaultTimes> {
    let this =
        |f: &&mut FaultTimes| f.name == name && f.occurrence == occurrence && f.healed.is_none();
    faults.iter_mut().rev().find(this)
}
