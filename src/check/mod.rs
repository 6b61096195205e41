//! Checks: from a run to pass, fail or inconclusive, each with what was seen and how it was worked
//! out. Pure.
//!
//! One function of [`crate::expr::FUNCTIONS`] per file, in [`function`]; [`scope`] is what they share:
//! who is meant, and when. Owns windows and verdicts. Must not know who reports, or where a run is
//! kept.
//!
//! Every value is a range, from the least to the most that it can have been. It is one point where all
//! is known, open upwards where the run ended first (no recovery until the end), and wider where the
//! host stood still ([`stall`]). A comparison that some of the range meets and some does not is
//! inconclusive.

mod answer;
mod function;
mod growth;
mod logic;
mod prove;
mod result;
mod scope;
mod stall;
mod traffic;
mod view;
mod window;

pub use logic::Judgement;
pub use prove::{Proof, Variation, proofs, variations};
pub use result::{CheckResult, Observed};
pub use stall::host_said;
pub use view::{Life, LifeEvent, View};
pub use window::{FaultTimes, Frame, Kind, Window, by_name, windows};

use crate::expr::Expr;
use crate::lab::Check;

/// What `check` says of a run.
pub fn evaluate(check: &Check, view: &View<'_>) -> CheckResult {
    worked_out(check, view, |expr| expr)
}

/// What `condition` says of what is known so far: functions tell of a trailing window, unless they say
/// another one.
pub fn holds(condition: &Check, view: &View<'_>) -> CheckResult {
    worked_out(condition, view, Expr::trailing)
}

fn worked_out(check: &Check, view: &View<'_>, read: fn(Expr) -> Expr) -> CheckResult {
    match crate::expr::parse(&check.expect) {
        Ok(expr) => result::judged(check, &read(expr), view),
        // The lab's loader has understood it; a record may come from another netlab.
        Err(mistakes) => {
            let why = mistakes.into_iter().next().map(|mistake| mistake.message);
            result::unknown(check, why.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests;
