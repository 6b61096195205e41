//! Requests one by one, for those who want to see each. Bounded: what finds no place is counted.

use netlab_protocol::control::{MAX_REQUESTS, RequestRow};

/// Requests that ended, not yet reported.
#[derive(Debug, Default)]
pub struct Journal {
    rows: Vec<RequestRow>,
    missed: u64,
}

impl Journal {
    /// Adds a request that ended.
    pub fn add(&mut self, row: RequestRow) {
        if self.rows.len() < MAX_REQUESTS {
            self.rows.push(row);
        } else {
            self.missed += 1;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Journal::default();
    }

    /// Takes what there is, and how many found no place.
    pub fn take(&mut self) -> (Vec<RequestRow>, u64) {
        (
            std::mem::take(&mut self.rows),
            std::mem::take(&mut self.missed),
        )
    }
}
