//! `crashes`: nodes that died though no fault wanted it.

use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::view::{Life, LifeEvent};

pub fn answer(scope: &Scope<'_>) -> Answer {
    let died = |life: &&Life| {
        life.what == LifeEvent::Died { wanted: false }
            && scope.means(life.node)
            && scope.contains(life.t)
    };
    let found: Vec<&Life> = scope.view.lives.iter().filter(died).collect();
    let nodes = scope.view.lab.nodes.iter();
    let watched = nodes
        .zip(0..)
        .filter(|(_, at)| scope.means(crate::id::NodeIndex(*at)));
    let watched = watched.count();
    if watched == 0 || scope.seconds() == 0.0 {
        return Answer::nothing("there was nothing to watch then");
    }
    let name = |life: &&Life| {
        let node = scope.view.lab.nodes.get(life.node.at());
        node.map_or_else(String::new, |node| node.name.to_string())
    };
    let how = match found.first() {
        Some(first) => format!("the first was {}", name(first)),
        None => format!("of {watched} nodes"),
    };
    Answer::exact(found.len() as f64, how)
}
