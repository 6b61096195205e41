//! The functions of checks, one per file, as [`crate::expr::FUNCTIONS`] names them.

mod availability;
mod budget_used;
mod bytes_per_request;
mod crashes;
mod downtime;
mod errors;
mod latency;
mod link_bytes;
mod link_corrupted;
mod link_drops;
mod link_duplicated;
mod link_loss;
mod link_packets;
mod link_queue;
mod link_rate;
mod lost_writes;
mod messages_per_request;
mod metric;
mod recovery;
mod requests;
mod restarts;
mod stale_reads;
mod success;
mod throughput;

use super::answer::Answer;
use super::scope::Scope;
use crate::expr::{Call, Id};

/// Said where nobody asked anything.
const NO_REQUESTS: &str = "no request was intended then";

/// What a function says.
pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    match call.function.id {
        Id::Availability => availability::answer(call, scope),
        Id::BudgetUsed => budget_used::answer(call, scope),
        Id::BytesPerRequest => bytes_per_request::answer(scope),
        Id::Crashes => crashes::answer(scope),
        Id::Downtime => downtime::answer(call, scope),
        Id::Errors => errors::answer(call, scope),
        Id::Latency => latency::answer(call, scope),
        Id::LinkBytes => link_bytes::answer(scope),
        Id::LinkCorrupted => link_corrupted::answer(scope),
        Id::LinkDrops => link_drops::answer(call, scope),
        Id::LinkDuplicated => link_duplicated::answer(scope),
        Id::LinkLoss => link_loss::answer(call, scope),
        Id::LinkPackets => link_packets::answer(scope),
        Id::LinkQueue => link_queue::answer(scope),
        Id::LinkRate => link_rate::answer(scope),
        Id::LostWrites => lost_writes::answer(scope),
        Id::MessagesPerRequest => messages_per_request::answer(scope),
        Id::Metric => metric::answer(call, scope),
        Id::Recovery => recovery::answer(call, scope),
        Id::Requests => requests::answer(scope),
        Id::Restarts => restarts::answer(scope),
        Id::StaleReads => stale_reads::answer(scope),
        Id::Success => success::answer(scope),
        Id::Throughput => throughput::answer(scope),
    }
}
