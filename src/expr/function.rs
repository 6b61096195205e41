//! The table of functions: names, arguments, what comes out, help. `check` implements them.
//!
//! One entry in [`FUNCTIONS`] and one file in `src/check/` is a function.

use super::value::Type;

/// Which function; each is implemented once, in `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// `availability`
    Availability,
    /// `bytes_per_request`
    BytesPerRequest,
    /// `budget_used`
    BudgetUsed,
    /// `crashes`
    Crashes,
    /// `downtime`
    Downtime,
    /// `errors`
    Errors,
    /// `latency`
    Latency,
    /// `link_bytes`
    LinkBytes,
    /// `link_corrupted`
    LinkCorrupted,
    /// `link_drops`
    LinkDrops,
    /// `link_duplicated`
    LinkDuplicated,
    /// `link_loss`
    LinkLoss,
    /// `link_packets`
    LinkPackets,
    /// `link_queue`
    LinkQueue,
    /// `link_rate`
    LinkRate,
    /// `lost_writes`
    LostWrites,
    /// `messages_per_request`
    MessagesPerRequest,
    /// `metric`
    Metric,
    /// `recovery`
    Recovery,
    /// `requests`
    Requests,
    /// `restarts`
    Restarts,
    /// `stale_reads`
    StaleReads,
    /// `success`
    Success,
    /// `throughput`
    Throughput,
}

/// What comes out of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Always this.
    Kind(Type),
    /// What the unit of the metric says, per second for `rate`.
    OfMetric,
}

/// A function of the check language.
#[derive(Debug)]
pub struct Function {
    /// Which.
    pub id: Id,
    /// Its name.
    pub name: &'static str,
    /// Its arguments, in the order in which they may stand without their names.
    pub params: &'static [Param],
    /// Whether it takes `during`, `before`, `after` or `between`.
    pub windows: bool,
    /// What comes out.
    pub gives: Gives,
    /// Whether it looks at requests, and so at nodes that ask.
    pub asks: bool,
    /// Whether it can only grow while a run goes on.
    pub grows: bool,
    /// Whether a host that stands still changes what comes out.
    pub timing: bool,
    /// One sentence.
    pub help: &'static str,
}

/// An argument.
#[derive(Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: ParamKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A node, a group, a role or a pattern.
    Nodes,
    /// A fault.
    Fault,
    /// `p99`, `p99.9`, `max`.
    Percentile,
    /// How a request ended.
    Outcome,
    /// What was asked: `read`, `write`.
    Op,
    /// A share.
    Share,
    /// The name of a metric, in quotes.
    Metric,
    /// What is made of a metric's values.
    Aggregate,
    /// Why packets did not arrive.
    Cause,
}

/// What is made of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The smallest value.
    Min,
    /// The mean of all values.
    Mean,
    /// The largest value.
    Max,
    /// The sum of each node's last value.
    Last,
    /// By how much counters grew.
    Increase,
    /// By how much counters grew each second.
    Rate,
}

impl Aggregate {
    /// All, with their words.
    pub const ALL: [(&'static str, Aggregate); 6] = [
        ("min", Aggregate::Min),
        ("mean", Aggregate::Mean),
        ("max", Aggregate::Max),
        ("last", Aggregate::Last),
        ("increase", Aggregate::Increase),
        ("rate", Aggregate::Rate),
    ];
}

/// Names of the arguments that say when.
pub const WINDOWS: [&str; 5] = ["during", "before", "after", "between", "last"];

const fn optional(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        optional: true,
    }
}

const fn needed(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        optional: false,
    }
}

const NODES: Param = optional("nodes", ParamKind::Nodes);
const FROM: Param = optional("from", ParamKind::Nodes);
const TO: Param = optional("to", ParamKind::Nodes);
const OP: Param = optional("op", ParamKind::Op);
const SHARE: Param = optional("share", ParamKind::Share);

/// Those that look at requests by their intended time.
const fn of_requests(
    id: Id,
    name: &'static str,
    params: &'static [Param],
    gives: Type,
    help: &'static str,
) -> Function {
    Function {
        id,
        name,
        params,
        windows: true,
        gives: Gives::Kind(gives),
        asks: true,
        grows: matches!(
            id,
            Id::Crashes
                | Id::Downtime
                | Id::Errors
                | Id::LinkBytes
                | Id::LinkCorrupted
                | Id::LinkDrops
                | Id::LinkDuplicated
                | Id::LinkPackets
                | Id::LinkQueue
                | Id::LostWrites
                | Id::Requests
                | Id::Restarts
                | Id::StaleReads
        ),
        timing: true,
        help,
    }
}

/// Those that no host changes by standing still.
const fn of_facts(
    id: Id,
    name: &'static str,
    params: &'static [Param],
    gives: Type,
    help: &'static str,
) -> Function {
    Function {
        asks: false,
        timing: false,
        ..of_requests(id, name, params, gives, help)
    }
}

/// Those of nodes that ask which no host changes by standing still.
const fn of_askers(
    id: Id,
    name: &'static str,
    params: &'static [Param],
    gives: Type,
    help: &'static str,
) -> Function {
    Function {
        timing: false,
        ..of_requests(id, name, params, gives, help)
    }
}

/// All functions, by name.
pub const FUNCTIONS: &[Function] = &[
    of_requests(
        Id::Availability,
        "availability",
        &[NODES, SHARE],
        Type::Ratio,
        "Share of the time (in slots of 100 ms) in which at least `share` (50%) of the requests succeed.",
    ),
    of_requests(
        Id::BudgetUsed,
        "budget_used",
        &[needed("objective", ParamKind::Share), NODES],
        Type::Ratio,
        "How much of the error budget was spent: failed requests by those that the objective (99.9%) allows.",
    ),
    of_askers(
        Id::BytesPerRequest,
        "bytes_per_request",
        &[NODES],
        Type::Bytes,
        "Payload that these nodes sent and received, by the requests that they intended.",
    ),
    of_facts(
        Id::Crashes,
        "crashes",
        &[NODES],
        Type::Number,
        "Nodes that died though no fault wanted it; of all nodes unless said.",
    ),
    of_requests(
        Id::Downtime,
        "downtime",
        &[NODES, SHARE],
        Type::Duration,
        "The time that `availability` does not count as available.",
    ),
    of_requests(
        Id::Errors,
        "errors",
        &[NODES, optional("outcome", ParamKind::Outcome), OP],
        Type::Number,
        "Requests that failed, or those that ended so: busy, timeout, refused, reset, corrupt, …",
    ),
    of_requests(
        Id::Latency,
        "latency",
        &[NODES, optional("percentile", ParamKind::Percentile), OP],
        Type::Duration,
        "Latency from the intended time that this share (p99) of the answered requests does not exceed.",
    ),
    of_facts(
        Id::LinkBytes,
        "link_bytes",
        &[FROM, TO],
        Type::Bytes,
        "Bytes (IP header included) that links from and to these nodes delivered, hop by hop.",
    ),
    of_facts(
        Id::LinkCorrupted,
        "link_corrupted",
        &[FROM, TO],
        Type::Number,
        "Packets in which the links turned over a bit.",
    ),
    of_facts(
        Id::LinkDrops,
        "link_drops",
        &[FROM, TO, optional("cause", ParamKind::Cause)],
        Type::Number,
        "Packets that the links did not deliver, or those of one cause: loss, down, mtu, queue, receiver, ttl.",
    ),
    of_facts(
        Id::LinkDuplicated,
        "link_duplicated",
        &[FROM, TO],
        Type::Number,
        "Packets of which the links made a copy.",
    ),
    of_facts(
        Id::LinkLoss,
        "link_loss",
        &[FROM, TO, optional("cause", ParamKind::Cause)],
        Type::Ratio,
        "Share of the packets sent over the links that was not delivered, or not because of one cause.",
    ),
    of_facts(
        Id::LinkPackets,
        "link_packets",
        &[FROM, TO],
        Type::Number,
        "Packets that links from and to these nodes delivered, copies included, hop by hop.",
    ),
    of_facts(
        Id::LinkQueue,
        "link_queue",
        &[FROM, TO],
        Type::Bytes,
        "Most bytes that were seen waiting in the queue of one link.",
    ),
    of_facts(
        Id::LinkRate,
        "link_rate",
        &[FROM, TO],
        Type::BitRate,
        "What the links delivered per second, all of them together.",
    ),
    of_askers(
        Id::LostWrites,
        "lost_writes",
        &[NODES],
        Type::Number,
        "Acknowledged writes that a later answer for the same key shows to be lost.",
    ),
    of_askers(
        Id::MessagesPerRequest,
        "messages_per_request",
        &[NODES],
        Type::Number,
        "Requests served by the lab's own nodes, passed on ones included, by requests intended.",
    ),
    Function {
        gives: Gives::OfMetric,
        ..of_facts(
            Id::Metric,
            "metric",
            &[
                needed("name", ParamKind::Metric),
                needed("aggregate", ParamKind::Aggregate),
                NODES,
            ],
            Type::Number,
            "A metric that nodes report; min, mean or max of its values, or last, increase or rate, which add nodes up.",
        )
    },
    Function {
        windows: false,
        ..of_requests(
            Id::Recovery,
            "recovery",
            &[needed("fault", ParamKind::Fault), NODES, SHARE],
            Type::Duration,
            "From the start of the fault's healing until successes per second are back at `share` (95%) of those before it, and stay there for a second.",
        )
    },
    of_askers(
        Id::Requests,
        "requests",
        &[NODES, OP],
        Type::Number,
        "Requests that were intended.",
    ),
    of_facts(
        Id::Restarts,
        "restarts",
        &[NODES],
        Type::Number,
        "How often nodes came back after they had died; of all nodes unless said.",
    ),
    of_askers(
        Id::StaleReads,
        "stale_reads",
        &[NODES],
        Type::Number,
        "Reads that answered with less than a write that was acknowledged before.",
    ),
    of_requests(
        Id::Success,
        "success",
        &[NODES, OP],
        Type::Ratio,
        "Share of the intended requests that were answered as they should be (ok, missing).",
    ),
    of_requests(
        Id::Throughput,
        "throughput",
        &[NODES, OP],
        Type::Rate,
        "Successful requests per second.",
    ),
];

/// The function with this name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// `latency(nodes?, percentile?, op?, window?)`
    pub fn signature(&self) -> String {
        let params = self.params.iter();
        let mut words: Vec<String> = params
            .map(|param| format!("{}{}", param.name, if param.optional { "?" } else { "" }))
            .collect();
        if self.windows {
            words.push("window?".to_owned());
        }
        format!("{}({})", self.name, words.join(", "))
    }

    /// The word for what comes out.
    pub fn result(&self) -> &'static str {
        match self.gives {
            Gives::Kind(kind) => kind.word(),
            Gives::OfMetric => "by the metric's unit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_each_function_stands_once() {
        let names: Vec<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn signatures() {
        let latency = function("latency").unwrap();
        assert_eq!(
            latency.signature(),
            "latency(nodes?, percentile?, op?, window?)"
        );
        let recovery = function("recovery").unwrap();
        assert_eq!(recovery.signature(), "recovery(fault, nodes?, share?)");
    }
}
