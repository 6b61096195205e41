//! Whether a node could take no more of processor and memory than the faults in force let it.
//!
//! Owns what is evidence of a limit: what the kernel says of the node's cgroup, or that it has killed
//! the node for its memory.

use super::{Court, Finding};
use crate::agent::desire::Desired;
use crate::agent::process::NodeSight;
use crate::agent::prove::{Moment, Seen};
use crate::fault::Limits;
use crate::id::NodeIndex;

impl Court<'_> {
    pub(super) fn limited(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let killed = self.case.out_of_memory.contains(&node);
        let (mut visible, mut wanted) = (false, None);
        for look in self.looks() {
            let (Some((sight, without)), Some((now, but))) =
                (self.node(look, node), self.limits(look, node))
            else {
                continue;
            };
            let dead = matches!(without, Desired::Dead(_));
            if sight.process.is_none() && (dead || killed) {
                visible |= !dead && now != but;
                continue;
            }
            self.is_limited(node, sight, now)?;
            visible |= now != but;
            wanted = Some(now);
        }
        if !visible {
            return Ok((None, false));
        }
        let mut said = match wanted {
            Some(limits) => format!("{name}: cgroup allows {limits}"),
            None => name.clone(),
        };
        said.push_str(&self.held_back(node).unwrap_or_default());
        if killed {
            said.push_str(", OOM killed");
        }
        Ok((Some(said), true))
    }

    /// What a node was to be allowed to take, and what without this fault.
    fn limits(&self, seen: &Seen, node: NodeIndex) -> Option<(Limits, Limits)> {
        let at = self.case.nodes.iter().position(|other| *other == node)?;
        seen.limits.get(at).copied()
    }

    fn is_limited(&self, node: NodeIndex, sight: &NodeSight, wanted: Limits) -> Result<(), String> {
        let name = (self.name)(node);
        if sight.process.is_none() {
            return Err(format!("`{name}` has no process"));
        }
        match sight.allowed() {
            None => Err(format!("the kernel does not say what `{name}` may take")),
            Some(allowed) if allowed != wanted => Err(format!(
                "the cgroup of `{name}` allows {allowed}, not {wanted}"
            )),
            Some(_) => Ok(()),
        }
    }

    /// How often it had to wait for its processor time, where one process lived all the while.
    fn held_back(&self, node: NodeIndex) -> Option<String> {
        let seen = |moment| {
            let seen = self.case.seen.get(&moment)?;
            Some(self.node(seen, node)?.0)
        };
        let (first, last) = (seen(Moment::Begun)?, seen(Moment::Ending)?);
        let same = first.process.is_some() && first.process == last.process;
        let limited = last.allowed()?.cpu.is_some() && same;
        let (waited, of) = (
            last.held_back.0.saturating_sub(first.held_back.0),
            last.held_back.1.saturating_sub(first.held_back.1),
        );
        limited.then(|| format!(", held back in {waited} of {of} periods"))
    }
}
