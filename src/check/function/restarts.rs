//! `restarts`: how often nodes came back after they had died.

use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::view::LifeEvent;
use std::collections::BTreeSet;

pub fn answer(scope: &Scope<'_>) -> Answer {
    if scope.seconds() == 0.0 {
        return Answer::nothing("the window is empty");
    }
    let mut dead = BTreeSet::new();
    let (mut restarts, mut deaths) = (0, 0);
    for life in scope.view.lives.iter().filter(|l| scope.means(l.node)) {
        match life.what {
            LifeEvent::Died { .. } => {
                deaths += usize::from(scope.contains(life.t));
                dead.insert(life.node);
            }
            LifeEvent::Wired => {
                let back = dead.remove(&life.node);
                restarts += usize::from(back && scope.contains(life.t));
            }
        }
    }
    Answer::exact(restarts as f64, format!("deaths then: {deaths}"))
}
