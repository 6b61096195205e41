//! What the agent writes down so that its own death does not end the lab, and what it makes of it.
//!
//! Owns `position.json` and the decisions after a restart, which are pure ([`resume`]).

use super::apply::InForce;
use super::by_hand::HandPosition;
use crate::timeline::{Entry, Moment, Step};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Its name in the agent's folder.
pub(super) const FILE: &str = "position.json";
/// Version of its form.
pub(super) const FORMAT: u32 = 1;

/// Where a lab stands. Times are CLOCK_MONOTONIC ns of the boot named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// [`FORMAT`].
    pub format: u32,
    /// The machine's boot.
    pub boot: String,
    /// When this was written: the last sign of life.
    pub at: u64,
    /// Seconds since the epoch when the agent first started: the lease counts from here.
    pub created: u64,
    /// Whether the gates were opened.
    pub gates_open: bool,
    /// Whether the lab was ready once.
    pub ready: bool,
    /// Number of the last run.
    pub number: u32,
    /// Zero of the last run's clock while its load goes on.
    pub load: Option<u64>,
    /// The run that is playing.
    pub run: Option<RunPosition>,
    /// Names of nodes that a fault took down and that were not back.
    pub owned: Vec<String>,
    /// How many faults by hand there have been.
    #[serde(default)]
    pub hand_number: u32,
    /// Faults by hand that are in force.
    #[serde(default)]
    pub by_hand: Vec<HandPosition>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunPosition {
    /// Its id.
    pub id: String,
    /// Zero of its clock.
    pub go: u64,
    /// Entries of the timeline that are over.
    pub done: usize,
    /// What the scenario's conditions have told, in their order.
    #[serde(default)]
    pub moments: Vec<Moment>,
    /// Whether the end of the warm-up was recorded.
    pub warmed_up: bool,
    /// Whether it was being closed, and as what.
    pub closing: Option<Closing>,
    /// Faults in force.
    pub in_force: Vec<InForce>,
    /// Why it is inconclusive so far.
    pub reasons: Vec<String>,
}

/// Why a run is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Closing {
    /// The scenario is over.
    Ended,
    /// A check with `abort: true` does not hold.
    Aborted,
    /// Somebody stopped it, or plays another.
    Interrupted,
}

/// What to do after a start.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Resume {
    /// The lab is new.
    Fresh,
    /// Go on where it stood.
    Continue(Position),
    /// The run cannot go on: close it with this reason; the rest goes on.
    Close(Position, String),
}

/// Decides. A run is played on within one boot only: its clock ends with it.
pub(super) fn resume(found: Option<Position>, boot: &str) -> Resume {
    match found {
        None => Resume::Fresh,
        Some(position) if position.boot == boot => Resume::Continue(position),
        Some(mut position) => {
            position.load = None;
            match position.run {
                None => Resume::Continue(position),
                Some(_) => {
                    Resume::Close(position, "the machine was restarted during the run".into())
                }
            }
        }
    }
}

/// Of entries that came due while the agent was away: those to apply, in order, and the faults
/// that came and went unseen.
pub(super) fn missed(due: Vec<Entry>) -> (Vec<Entry>, BTreeSet<usize>) {
    let of = |step| {
        let entries = due.iter().filter(move |e| e.step == step);
        entries.map(|e| e.fault).collect::<BTreeSet<usize>>()
    };
    let unseen: BTreeSet<usize> = &of(Step::Begin) & &of(Step::Heal);
    let rest = due.into_iter().filter(|e| !unseen.contains(&e.fault));
    (rest.collect(), unseen)
}

/// Reads the position; none when there is none. An unreadable one is an error, not a new lab.
pub(super) fn read(state: &Path) -> io::Result<Option<Position>> {
    match fs::read(state.join(FILE)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
    }
}

/// Replaces the position in one step.
pub(super) fn write(state: &Path, position: &Position) -> io::Result<()> {
    replace(state, FILE, &serde_json::to_vec(position)?)
}

/// Replaces a file of the agent's folder in one step.
pub(super) fn replace(state: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = state.join(format!("{name}.new"));
    fs::write(&beside, bytes)?;
    fs::rename(&beside, state.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Name;
    use std::time::Duration;

    fn position(run: bool) -> Position {
        Position {
            format: FORMAT,
            boot: "b1".into(),
            at: 7,
            created: 1,
            gates_open: true,
            ready: true,
            number: 1,
            load: Some(5),
            run: run.then(|| RunPosition {
                id: "20260101T000000Z-7".into(),
                go: 5,
                done: 1,
                moments: vec![Moment::Held(Duration::from_secs(3)), Moment::Waiting],
                warmed_up: true,
                closing: None,
                in_force: Vec::new(),
                reasons: Vec::new(),
            }),
            owned: vec!["n-1".into()],
            hand_number: 0,
            by_hand: Vec::new(),
        }
    }

    #[test]
    fn a_run_goes_on_within_one_boot_only() {
        assert_eq!(resume(None, "b1"), Resume::Fresh);
        assert_eq!(
            resume(Some(position(true)), "b1"),
            Resume::Continue(position(true))
        );
        assert!(
            matches!(resume(Some(position(true)), "b2"), Resume::Close(p, _) if p.load.is_none())
        );
        assert!(matches!(
            resume(Some(position(false)), "b2"),
            Resume::Continue(_)
        ));
    }

    #[test]
    fn what_came_and_went_unseen_is_not_applied() {
        let entry = |fault, step, at| Entry {
            at: Duration::from_secs(at),
            step,
            fault,
            name: Name::new("f").unwrap(),
            occurrence: 1,
        };
        let (apply, unseen) = missed(vec![
            entry(0, Step::Heal, 1),
            entry(1, Step::Begin, 2),
            entry(1, Step::Heal, 3),
            entry(2, Step::Begin, 4),
        ]);
        assert_eq!(apply, [entry(0, Step::Heal, 1), entry(2, Step::Begin, 4)]);
        assert_eq!(unseen, BTreeSet::from([1]));
    }

    #[test]
    fn a_position_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), &position(true)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(position(true)));
        fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(read(dir.path()).is_err());
    }
}
