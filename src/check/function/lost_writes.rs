//! `lost_writes`: acknowledged writes that a later answer for the same key shows to be lost.
//!
//! Netlab's own nodes remember what was acknowledged to them, and look at the version of every later
//! answer for the key. A write of which an answer spoke as if it had not happened is in doubt: one that stays
//! so is lost, one of which a later answer knows was only hidden by a stale answer.

use crate::check::answer::Answer;
use crate::check::growth::{growth, stays};
use crate::check::scope::Scope;

pub fn answer(scope: &Scope<'_>) -> Answer {
    let lost = growth(scope, "writes_lost_total");
    let checked = growth(scope, "writes_checked_total").unwrap_or(0.0);
    let doubted = stays(scope, "writes_doubted");
    match lost.map(|lost| lost + doubted) {
        Some(lost) if checked > 0.0 => {
            Answer::exact(lost, format!("of {checked} that were asked for again"))
        }
        Some(_) => Answer::nothing("no acknowledged write was asked for again then"),
        None => Answer::nothing("no node told what became of its writes then"),
    }
}
