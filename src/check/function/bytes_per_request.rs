//! `bytes_per_request`: the payload that nodes sent and received, by their requests.

use super::NO_REQUESTS;
use crate::check::answer::{Answer, many};
use crate::check::growth::growth;
use crate::check::scope::Scope;
use crate::expr::{Quantity, Type};

pub fn answer(scope: &Scope<'_>) -> Answer {
    let requests = scope.stats().requests();
    let sent = growth(scope, "bytes_sent_total");
    let received = growth(scope, "bytes_received_total");
    match sent.zip(received) {
        _ if requests == 0 => Answer::nothing(NO_REQUESTS),
        None => Answer::nothing("no node told its traffic then"),
        Some((sent, received)) => {
            let bytes = Quantity::new(Type::Bytes, sent + received);
            let how = format!("{bytes} for {}", many(requests, "request"));
            Answer::exact((sent + received) / requests as f64, how)
        }
    }
}
