//! Events: what happened in a run, as `events.jsonl` holds it and the attached CLI sees it.

use serde::{Deserialize, Serialize};

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds since the run's go, on the monotonic clock.
    pub t: i64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen. Times inside are on the same clock as [`Event::t`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The run's go: load starts. Always the first event.
    RunStarted {
        /// The run's id, `<time>-<seed>`.
        run: String,
        /// Seed of the lab.
        seed: u64,
        /// Length of the warm-up in nanoseconds; 0 without a scenario.
        warmup: i64,
        /// Length of warm-up and scenario; none without a scenario.
        end: Option<i64>,
    },
    /// The warm-up is over: scenario time zero.
    WarmupEnded,
    /// A node's network is wired (at the start, after a restart, after the agent's restart).
    NodeWired {
        /// Which.
        node: String,
    },
    /// A node's role is ready to work.
    NodeReady {
        /// Which.
        node: String,
    },
    /// A node's processes are gone.
    NodeDied {
        /// Which.
        node: String,
        /// Exit code of its first process.
        exit_code: i64,
        /// The fault that wanted it; none: nobody did.
        fault: Option<String>,
        /// Whether the kernel killed it, because it needed more memory than that fault leaves it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        oom: bool,
    },
    /// A fault was asked for by hand.
    FaultInjected {
        /// Its name.
        fault: String,
        /// Its kind.
        kind: String,
        /// Its target, for people.
        target: String,
        /// How long it shall last in nanoseconds; none: until it is healed by hand, or the run ends.
        lasts: Option<i64>,
    },
    /// What a fault waited for holds: it begins.
    ConditionHeld {
        /// The fault's name.
        fault: String,
        /// What was seen.
        seen: String,
    },
    /// A fault did not begin, because what it waited for was not so in time; the run is inconclusive.
    FaultNeverBegan {
        /// Its name.
        fault: String,
        /// Why.
        why: String,
    },
    /// A fault is in effect: its last effect was observed.
    FaultBegan {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// Its kind.
        kind: String,
        /// Its target, for people.
        target: String,
        /// When it was due.
        due: i64,
        /// When its first effect was asked for.
        requested: i64,
        /// The nodes whose own programs it holds up: that their timers are late is its doing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        held: Vec<String>,
    },
    /// Healing of a fault was started: `during` ends here.
    HealStarted {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// When it was due.
        due: i64,
    },
    /// A fault has healed: its nodes have passed their gates, its links work; `after` begins here.
    FaultHealed {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
    },
    /// A fault or its heal could not be applied, or had no effect.
    FaultFailed {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// Why.
        why: String,
    },
    /// Every effect of a fault was seen, at its begin and at its end.
    FaultProven {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// What was seen.
        seen: String,
    },
    /// Others hid a fault all the time: nobody could have seen it.
    FaultMasked {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// Those that were in force on the same nodes and links.
        by: Vec<String>,
        /// What was seen all the same.
        seen: String,
    },
    /// A fault had no provable effect; the run is inconclusive.
    FaultUnproven {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// Why.
        why: String,
    },
    /// After its heal a fault's effect was seen to be gone.
    HealProven {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// What was seen.
        seen: String,
    },
    /// After its heal others hold all that a fault had touched: nobody could see it go.
    HealMasked {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// Those that were in force on the same nodes and links.
        by: Vec<String>,
    },
    /// After its heal something of a fault's effect remained; the run is inconclusive.
    HealUnproven {
        /// Its name.
        fault: String,
        /// Which of its occurrences, from 1.
        #[serde(default = "one")]
        occurrence: u32,
        /// What.
        why: String,
    },
    /// After the last heal the lab was not what it was before the first fault; the run is
    /// inconclusive.
    NotRestored {
        /// Each difference.
        what: Vec<String>,
    },
    /// The agent was gone from `from` until now and has resumed; nothing was measured meanwhile.
    AgentResumed {
        /// Last sign of life.
        from: i64,
    },
    /// Something that the reader of the record should know.
    Note {
        /// The node it is about.
        node: Option<String>,
        /// One sentence.
        text: String,
    },
    /// The run is over and everything has healed. Always the last event.
    RunEnded {
        /// What the run is worth.
        verdict: Verdict,
        /// Why it is not [`Verdict::Passed`].
        reasons: Vec<String>,
    },
}

fn one() -> u32 {
    1
}

/// What a run is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything happened as the file says.
    Passed,
    /// A check does not hold.
    Failed,
    /// Something makes the measurement worthless.
    Inconclusive,
    /// Ended before its time.
    Interrupted,
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Interrupted => "interrupted",
        }
    }
}
