//! What follows from how a program answered before, while and after it was told to misbehave. Pure.

use super::{Court, Finding};
use crate::agent::desire::Desired;
use crate::agent::prove::{Moment, Program, Seen};
use crate::agent::replies::Replies;
use crate::id::NodeIndex;
use netlab_protocol::conduct::{How, Misbehaviour};

impl Court<'_> {
    /// Whether who asks the node's program is answered so.
    pub(super) fn spoilt(&self, node: NodeIndex, wrong: &Misbehaviour) -> Finding {
        let name = (self.name)(node);
        let runs = matches!(self.node(self.begun, node), Some((_, Desired::Running)));
        let without = program(self.begun, node).map(|program| &program.without[..]);
        if !runs
            || without
                .unwrap_or_default()
                .iter()
                .any(|one| hides(one, wrong))
        {
            return Ok((None, false));
        }
        if let Some(before) = self.case.seen.get(&Moment::Before)
            && let Some(replies) = replies(before, node)
        {
            let wrong = replies.corrupt + replies.stale;
            if wrong > 0 {
                return Err(format!("{wrong} answers of `{name}` were wrong before"));
            }
        }
        let during = replies(self.begun, node).unwrap_or_default();
        let count = match wrong.how {
            How::Corrupt => during.corrupt,
            How::Withhold => during.silent,
            How::Slow => during.late + during.silent,
            How::Stale => during.stale,
        };
        let (asked, how) = (during.asked, wrong.how.as_str());
        let told = self.counted(node);
        if count == 0 && told == 0 {
            return Err(format!("of {asked} answers of `{name}` none was {how}"));
        }
        let word = match wrong.how {
            How::Corrupt => "corrupt",
            How::Withhold => "withheld",
            How::Slow => "late",
            How::Stale => "stale",
        };
        let text = format!("{name}: {count} of {asked} probes {word}, {told} answers spoilt");
        Ok((Some(text), true))
    }

    /// Answers that the program says it has spoilt meanwhile; another process counts from nothing.
    fn counted(&self, node: NodeIndex) -> u64 {
        let count = |seen: Option<&Seen>| program(seen?, node)?.spoilt;
        match (count(Some(self.begun)), count(self.after)) {
            (Some(first), Some(last)) if first <= last => last - first,
            (_, last) => last.unwrap_or(0),
        }
    }
}

fn program(seen: &Seen, node: NodeIndex) -> Option<&Program> {
    seen.programs.iter().find(|program| program.node == node)
}

fn replies(seen: &Seen, node: NodeIndex) -> Option<Replies> {
    let replies = seen.sight.replies.iter();
    Some(replies.clone().find(|(other, _)| *other == node)?.1)
}

/// Whether nothing is to be seen of `wrong` where `other` is in force.
fn hides(other: &Misbehaviour, wrong: &Misbehaviour) -> bool {
    let all = other.share >= 1.0;
    match other.how {
        How::Withhold => all,
        How::Corrupt => all && matches!(wrong.how, How::Corrupt | How::Stale),
        How::Slow => all && other.delay > wrong.delay,
        How::Stale => all && wrong.how == How::Stale,
    }
}
