//! Whether a node crashed over and over.
//!
//! Owns what is evidence of it: at each crash its process is gone, after each start there is another.

use super::{Court, Finding};
use crate::id::NodeIndex;

impl Court<'_> {
    pub(super) fn crashing(&self, node: NodeIndex, wanted: Option<u32>) -> Finding {
        let name = (self.name)(node);
        let mut was = self.before(node).and_then(|before| before.process);
        let (mut crashes, mut starts) = (0, 0);
        for (gone, process) in self.case.crashes.get(&node).into_iter().flatten() {
            match (*gone, *process) {
                (true, None) => crashes += 1,
                (true, Some(process)) => {
                    let pid = process.pid;
                    return Err(format!(
                        "process {pid} of `{name}` is there after its crash"
                    ));
                }
                (false, None) => return Err(format!("`{name}` has no process after its start")),
                (false, process) if process == was => {
                    return Err(format!("`{name}` has the process that it had before"));
                }
                (false, process) => (was, starts) = (process, starts + 1),
            }
        }
        let hidden = !self.case.others.is_empty();
        match crashes {
            0 if hidden => return Ok((None, false)),
            0 => return Err(format!("`{name}` did not crash")),
            few if wanted.is_some_and(|wanted| few < wanted) && !hidden => {
                let wanted = wanted.unwrap_or(few);
                return Err(format!("`{name}` crashed {few} times, not {wanted}"));
            }
            _ => {}
        }
        let text = format!("{name}: crashed {crashes} times, {starts} starts while in force");
        Ok((Some(text), true))
    }
}
