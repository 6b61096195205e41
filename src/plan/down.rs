//! The plan that removes a lab.

use super::{Action, Found, Operation, Plan, PlanError, Snapshot, labels};
use crate::id::Name;

/// Removes everything that was found: the nodes at once, then the agent, whose volumes go with it.
///
/// # Errors
/// [`PlanError::OtherOwner`] when anything of it belongs to somebody else than `owner`.
pub fn down(lab: &Name, snapshot: &Snapshot, owner: &str) -> Result<Plan, PlanError> {
    refuse_other_owner(lab, snapshot, owner)?;
    let mut operations = Vec::new();
    removals(&mut operations, &snapshot.containers, "no longer wanted");
    Ok(Plan {
        lab: lab.clone(),
        changes: Vec::new(),
        operations,
    })
}

pub(super) fn refuse_other_owner(
    lab: &Name,
    snapshot: &Snapshot,
    owner: &str,
) -> Result<(), PlanError> {
    match snapshot
        .containers
        .iter()
        .find(|found| found.owner != owner)
    {
        None => Ok(()),
        Some(found) => Err(PlanError::OtherOwner {
            lab: lab.clone(),
            owner: found.owner.clone(),
            me: owner.to_owned(),
        }),
    }
}

/// Appends the removal of all `containers`: nodes by name, then what is an agent.
pub(super) fn removals(operations: &mut Vec<Operation>, containers: &[Found], cause: &str) {
    let is_agent = |found: &&Found| found.node == labels::AGENT;
    let mut nodes: Vec<&Found> = containers.iter().filter(|found| !is_agent(found)).collect();
    nodes.sort_by(|a, b| (&a.node, &a.id).cmp(&(&b.node, &b.id)));
    let mut before = Vec::new();
    for found in nodes.into_iter().chain(containers.iter().filter(is_agent)) {
        let id = operations.len() as u32 + 1;
        let agent = found.node == labels::AGENT;
        operations.push(Operation {
            id,
            resource: match agent {
                true => "agent".to_owned(),
                false => format!("node:{}", found.node),
            },
            action: Action::Remove {
                id: found.id.clone(),
                node: found.node.clone(),
            },
            cause: cause.to_owned(),
            after: if agent { before.clone() } else { Vec::new() },
        });
        if !agent {
            before.push(id);
        }
    }
}
