//! Requests one by one: what goes into the record, and what is known to be missing there.
//!
//! Owns the bound of a run's `requests.csv`. Must not know how it is written.

use super::core::{Action, Core};
use crate::id::NodeIndex;
use netlab_protocol::control::RequestRow;

/// Most requests that a run records one by one, about 1.5 GB; a run that has them all goes on without.
pub(super) const MAX_RECORDED: u64 = 20_000_000;

/// Requests of a run, one by one.
#[derive(Debug, Default)]
pub(super) struct OneByOne {
    recorded: u64,
    missed: u64,
}

impl Core {
    /// Records requests of `node`; `missed` more had no place there.
    pub(super) fn one_by_one(
        &mut self,
        now: u64,
        node: NodeIndex,
        mut rows: Vec<RequestRow>,
        mut missed: u64,
    ) {
        let Some(run) = &mut self.run else { return };
        let room = MAX_RECORDED.saturating_sub(run.one_by_one.recorded);
        let most = usize::try_from(room).unwrap_or(usize::MAX);
        let is_full = rows.len() > most;
        if is_full {
            missed += (rows.len() - most) as u64;
            rows.truncate(most);
        }
        let is_first = missed > 0 && run.one_by_one.missed == 0;
        run.one_by_one.recorded += rows.len() as u64;
        run.one_by_one.missed = run.one_by_one.missed.saturating_add(missed);
        if is_first {
            let why = match is_full {
                true => format!("there are {MAX_RECORDED}, and no run records more"),
                false => "it makes more requests than can be told one by one".to_owned(),
            };
            let text = format!("requests.csv is not complete from here on: {why}");
            self.note(now, Some(node), text);
        }
        if !rows.is_empty() {
            self.act(Action::Requests { node, rows });
        }
    }

    /// Says how many requests are missing in the record, if any are.
    pub(super) fn tell_missed(&mut self, now: u64) {
        let missed = self.run.as_ref().map_or(0, |run| run.one_by_one.missed);
        if missed > 0 {
            let text = format!(
                "{missed} requests are not in requests.csv; latency.csv has counted them all"
            );
            self.note(now, None, text);
        }
    }
}
