//! Whether a node lost what it kept.
//!
//! Owns what is evidence of it: its volume was looked at before its program began, and nothing was left.

use super::{Court, Finding};
use crate::agent::desire::Desired;
use crate::id::NodeIndex;

impl Court<'_> {
    pub(super) fn emptied(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let after = self.after.and_then(|after| self.node(after, node));
        match self.case.emptied.get(&node) {
            // Another fault keeps it down: it is emptied when that heals.
            None if !matches!(after, Some((_, Desired::Running))) => Ok((None, false)),
            None => Err(format!("the volume of `{name}` was not emptied")),
            Some(Err(why)) => Err(format!(
                "the volume of `{name}` could not be emptied: {why}"
            )),
            Some(Ok(found)) if found.left > 0 => {
                let left = found.left;
                Err(format!("{left} files of `{name}` are left"))
            }
            Some(Ok(found)) if !found.volume => {
                let text = format!("{name}: it keeps nothing on a volume");
                Ok((Some(text), true))
            }
            Some(Ok(found)) => {
                let text = format!("{name}: its volume had {} files, none left", found.had);
                Ok((Some(text), true))
            }
        }
    }
}
