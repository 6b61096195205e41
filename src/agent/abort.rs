//! Checks with `abort: true`: looked at each second, over what is known so far. Pure.
//!
//! Owns when a run is given up. Requests that may still be under way
//! are left out, and what can only grow counts as at least what it is now: so a check fails only when it
//! does not hold of what has been, twice in a row.

use super::core::Core;
use super::position::Closing;
use crate::check::{CheckResult, Judgement, evaluate};
use std::collections::BTreeMap;

/// Seconds in a row of which a check must not hold.
const SECONDS: u32 = 2;

/// For how many seconds which check has not held.
pub(super) type Failing = BTreeMap<String, u32>;

impl Core {
    /// Ends the run when one of its checks with `abort: true` does not hold.
    pub(super) fn abort_if_hopeless(&mut self, now: u64) {
        let known = self.known_until(now);
        let Some(run) = &mut self.run else {
            return;
        };
        if run.closing.is_some() || run.player.is_none() || self.watched.is_blind() {
            return;
        }
        let checks = self.lab.checks.iter().filter(|check| check.abort);
        let mut checks = checks.peekable();
        if checks.peek().is_none() {
            return;
        }
        let mut view = self.watched.view(&self.lab, &run.events, known);
        view.running = true;
        let results: Vec<CheckResult> = checks.map(|check| evaluate(check, &view)).collect();
        let hopeless = results.iter().find(|result| {
            let seconds = run.failing.entry(result.name.clone()).or_default();
            match result.verdict {
                Judgement::Fail => *seconds += 1,
                Judgement::Pass | Judgement::Inconclusive => *seconds = 0,
            }
            *seconds >= SECONDS
        });
        if let Some(result) = hopeless {
            let why = format!("`{}` does not hold: {}", result.name, result.seen());
            self.note(now, None, format!("{why}; the run is given up"));
            self.reason(why);
            self.close(now, Closing::Aborted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{World, lab, scenario};
    use crate::id::NodeIndex;
    use crate::lab::Check;
    use crate::record::event::Verdict;
    use std::collections::BTreeMap;

    /// A lab in which nothing may crash, playing for 10 s after 1 s of warm-up.
    fn playing(abort: bool) -> World {
        let mut lab = lab(2, scenario(Vec::new()));
        lab.checks.push(Check {
            name: "it lives".into(),
            expect: "crashes() == 0".into(),
            abort,
            nodes: BTreeMap::new(),
        });
        let mut world = World::new(lab);
        world.run_for(1.0);
        world.play();
        world.run_for(3.0);
        world
    }

    #[test]
    fn a_check_that_does_not_hold_any_more_ends_the_run() {
        let mut world = playing(true);
        assert_eq!(world.verdict(), None);
        world.die(NodeIndex(1));
        // 2 s until all is known, and 2 s of failing.
        world.run_for(5.5);
        let (verdict, reasons) = world.verdict().unwrap();
        assert_eq!(verdict, Verdict::Failed);
        let why = reasons
            .iter()
            .any(|why| why.contains("`it lives` does not hold"));
        assert!(why, "{reasons:?}");
    }

    #[test]
    fn a_check_that_may_not_abort_waits_for_the_end() {
        let mut world = playing(false);
        world.die(NodeIndex(1));
        world.run_for(5.5);
        assert_eq!(world.verdict(), None);
    }
}
