//! A plan as text: what differs, if a lab is up, and one line per operation, as `netlab plan` prints
//! it and `plan.txt` keeps it.

use super::{Action, Operation, Plan};
use std::fmt;

impl Action {
    /// The verb, as plans and progress show it.
    pub fn verb(&self) -> &'static str {
        match self {
            Action::CreateImage(_) | Action::CreateAgent | Action::CreateNode(_) => "create",
            Action::FillVolumes => "fill",
            Action::StartAgent | Action::StartNode(_) | Action::StartFound { .. } => "start",
            Action::Adopt { .. } => "adopt",
            Action::Publish => "publish",
            Action::AwaitReady => "await ready",
            Action::Play => "play",
            Action::Remove { .. } => "remove",
        }
    }
}

impl fmt::Display for Operation {
    /// What is done to what, without number, cause and order: `node:client-1 create`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource, self.action.verb())
    }
}

impl fmt::Display for Plan {
    /// `# 4 node:client-1 create, not there (after 1, 2)`, one line per operation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        if !self.changes.is_empty() {
            writeln!(f)?;
        }
        let width = self.operations.len().to_string().len();
        for operation in &self.operations {
            let Operation { id, cause, .. } = operation;
            write!(f, "#{id:>width$} {operation}, {cause}")?;
            if !operation.after.is_empty() {
                write!(f, " (after {})", ranges(&operation.after))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Ascending numbers with runs of three and more drawn together: `1, 4-7`.
fn ranges(numbers: &[u32]) -> String {
    let mut parts = Vec::new();
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let run = (rest.iter().zip(first..))
            .take_while(|(have, want)| *have == want)
            .count();
        let run = if run < 3 { 1 } else { run };
        parts.push(match run {
            1 => first.to_string(),
            _ => format!("{first}-{}", rest[run - 1]),
        });
        rest = &rest[run..];
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn runs_of_numbers() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[1, 2]), "1, 2");
        assert_eq!(ranges(&[1, 3, 4, 5, 9]), "1, 3-5, 9");
    }
}
