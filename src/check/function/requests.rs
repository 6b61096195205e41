//! `requests`: how many were intended.

use super::NO_REQUESTS;
use crate::check::answer::Answer;
use crate::check::scope::Scope;

pub fn answer(scope: &Scope<'_>) -> Answer {
    match scope.stats().requests() {
        0 => Answer::nothing(NO_REQUESTS),
        all => Answer::exact(all as f64, "by their intended time"),
    }
}
