//! `messages_per_request`: requests that the lab's nodes served, by requests that were intended.

use super::NO_REQUESTS;
use crate::check::answer::{Answer, many};
use crate::check::growth::growth;
use crate::check::scope::Scope;

pub fn answer(scope: &Scope<'_>) -> Answer {
    let requests = scope.stats().requests();
    match growth(&scope.of_all(), "requests_served_total") {
        _ if requests == 0 => Answer::nothing(NO_REQUESTS),
        None => Answer::nothing("no node told what it served then"),
        Some(served) => {
            let how = format!("{served} served for {}", many(requests, "request"));
            Answer::exact(served / requests as f64, how)
        }
    }
}
