//! `stale_reads`: reads that answered with less than was acknowledged before to who asks.

use crate::check::answer::Answer;
use crate::check::growth::growth;
use crate::check::scope::Scope;

pub fn answer(scope: &Scope<'_>) -> Answer {
    let stale = growth(scope, "reads_stale_total");
    let checked = growth(scope, "reads_checked_total").unwrap_or(0.0);
    match stale {
        Some(stale) if checked > 0.0 => {
            let how = format!("of {checked} reads of keys that the reader had written");
            Answer::exact(stale, how)
        }
        Some(_) => Answer::nothing("no key was read by a node that had written it then"),
        None => Answer::nothing("no node told what it read then"),
    }
}
