//! Whether a node's data volume took no more writes.
//!
//! Owns what is evidence of it: what the kernel says of the volume. What clients were answered is for
//! checks.

use super::{Court, Finding};
use crate::agent::process::VolumeSight;
use crate::agent::prove::Seen;
use crate::agent::volumes::VolumeState;
use crate::id::NodeIndex;
use crate::units::ByteSize;

impl Court<'_> {
    pub(super) fn full(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let was = self.before(node).and_then(|before| before.volume);
        if was.is_some_and(|was| was.free == 0) && self.case.others.is_empty() {
            return Err(format!("the volume of `{name}` was full before, too"));
        }
        let is_full = |volume: VolumeSight| match ByteSize(volume.free) {
            ByteSize(0) => Ok(()),
            free => Err(format!("{free} are free on the volume of `{name}`")),
        };
        let visible = self.volume(node, |condition| condition.full, is_full)?;
        let free = was.map_or_else(String::new, |was| {
            let (free, size) = (ByteSize(was.free), ByteSize(was.size));
            format!(", {free} of {size} were before")
        });
        let text = format!("{name}: no byte of its volume is free{free}");
        Ok((visible.then_some(text), visible))
    }

    pub(super) fn read_only(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let was = self.before(node).and_then(|before| before.volume);
        if was.is_some_and(|was| was.read_only) && self.case.others.is_empty() {
            return Err(format!("the volume of `{name}` was read-only before, too"));
        }
        let is_read_only = |volume: VolumeSight| match volume.read_only {
            true => Ok(()),
            false => Err(format!("the volume of `{name}` takes writes")),
        };
        let visible = self.volume(node, |condition| condition.read_only, is_read_only)?;
        let text = format!("{name}: its volume is read-only");
        Ok((visible.then_some(text), visible))
    }

    /// Whether a volume was so at each look, and whether this fault alone made it so.
    fn volume(
        &self,
        node: NodeIndex,
        part: impl Fn(VolumeState) -> bool,
        is_so: impl Fn(VolumeSight) -> Result<(), String>,
    ) -> Result<bool, String> {
        let mut visible = false;
        for look in self.looks() {
            let (Some((sight, _)), Some((now, without))) =
                (self.node(look, node), self.conditions(look, node))
            else {
                continue;
            };
            let unseen = || format!("the volume of `{}` cannot be seen", (self.name)(node));
            is_so(sight.volume.ok_or_else(unseen)?)?;
            visible |= part(now) && !part(without);
        }
        Ok(visible)
    }

    fn conditions(&self, seen: &Seen, node: NodeIndex) -> Option<(VolumeState, VolumeState)> {
        let at = self.case.nodes.iter().position(|other| *other == node)?;
        seen.volumes.get(at).copied()
    }
}
