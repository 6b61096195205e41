//! Which nodes a selection selects.

use super::roster::{Roster, index};
use crate::id::NodeIndex;
use crate::spec::{Count, Diagnostic, Selection, Selector, Severity, Spanned, matches, nearest};
use netlab_protocol::draw;

/// Nodes looked at by all selectors of a file together; beyond it the file is refused.
const MAX_WORK: u64 = 5_000_000;
/// Messages after which the rest of the file is not looked at.
const MAX_REPORTS: usize = 1000;
/// Names that get a suggestion; each costs a comparison with every node.
const MAX_SUGGESTED: u32 = 40;
/// Labs up to this size get suggestions among all nodes, larger ones among the file's entries.
const ALL_SUGGESTED: usize = 1000;

impl Roster<'_> {
    /// The nodes, each once, in the lab's order; none when something was reported (or is missing
    /// because of an earlier report). `what` refers to them: `a link`.
    pub fn select(
        &self,
        selection: &Selection,
        what: &str,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<Vec<NodeIndex>> {
        let mut nodes = Vec::new();
        let mut complete = true;
        for term in &selection.terms {
            if !self.spend(term, reports) {
                return None;
            }
            match self.select_one(term, what, reports) {
                Some(found) => {
                    self.work.set(self.work.get() + found.len() as u64);
                    nodes.extend(found);
                }
                None => complete = false,
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        (complete && !nodes.is_empty()).then_some(nodes)
    }

    /// Whether there is work left; reports its end once.
    fn spend(&self, term: &Spanned<Selector>, reports: &mut Vec<Diagnostic>) -> bool {
        let looks_at_all = matches!(
            term.value,
            Selector::Glob(_) | Selector::Role(_) | Selector::Label(_) | Selector::AllBut(_)
        );
        let cost = if looks_at_all { self.members.len() } else { 1 };
        let before = self.work.get();
        self.work.set(before + cost as u64);
        if self.work.get() > MAX_WORK && !self.exhausted.replace(true) {
            let message = "the selectors of this file select too many nodes in all";
            reports.push(
                Diagnostic::error("too-many", message)
                    .at(term.span, "here it becomes too much")
                    .help(format!("together they may look at {MAX_WORK} nodes")),
            );
        }
        let errors = || reports.iter().filter(|d| d.severity == Severity::Error);
        // Warnings alone refuse nothing.
        let full = reports.len() >= MAX_REPORTS && errors().next().is_some();
        self.work.get() <= MAX_WORK && !full
    }

    fn select_one(
        &self,
        term: &Spanned<Selector>,
        what: &str,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<Vec<NodeIndex>> {
        let (found, message) = match &term.value {
            Selector::All => (self.all(), "the lab has no nodes".to_owned()),
            // The reader lets `rest` through only where the caller handles it.
            Selector::Rest => (Vec::new(), "`rest` has no meaning here".to_owned()),
            Selector::Role(role) => (self.of_role(role), format!("no node has the role `{role}`")),
            Selector::Label(label) => {
                let known = match self.labels().next() {
                    None => "no node of this lab has labels".to_owned(),
                    Some(_) => format!("no node has the label `{label}`"),
                };
                (self.labelled(label), known)
            }
            Selector::Pick(count, of) => return self.pick(*count, of, term, what, reports),
            Selector::AllBut(of) => {
                let but = self.select(of, what, reports)?;
                let others = self.all().into_iter();
                let others = others.filter(|node| but.binary_search(node).is_err());
                (others.collect(), format!("`all but {of}` leaves nobody"))
            }
            Selector::Glob(pattern) => (
                self.like(pattern),
                format!("the pattern `{pattern}` matches no node"),
            ),
            Selector::Name(name) => {
                return self.named(name).filter(|n| !n.is_empty()).or_else(|| {
                    self.unknown(name, term, what, reports);
                    None
                });
            }
        };
        if found.is_empty() {
            if self.is_complete() {
                reports.push(
                    Diagnostic::error("empty-selection", message)
                        .at(term.span, "")
                        .help(format!("defined nodes are {}", self.describe())),
                );
            }
            return None;
        }
        Some(found)
    }

    /// So many of a selection, drawn from the seed, the words of the selection and `what` refers to
    /// it: neither other faults nor the order in the file shift the draw.
    fn pick(
        &self,
        count: u32,
        of: &Selection,
        term: &Spanned<Selector>,
        what: &str,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<Vec<NodeIndex>> {
        let nodes = self.select(of, what, reports)?;
        if (count as usize) > nodes.len() {
            if self.is_complete() {
                let message = format!("cannot pick {count} of {} nodes", nodes.len());
                reports.push(
                    Diagnostic::error("empty-selection", message)
                        .at(term.span, "")
                        .at(of.span, format!("these are {}", nodes.len())),
                );
            }
            return None;
        }
        let counters = ["pick", what, &of.to_string()].map(draw::name);
        let order = draw::permutation(self.topology.seed, &counters, nodes.len() as u32);
        let drawn = order.into_iter().take(count as usize);
        Some(drawn.map(|at| nodes[at as usize]).collect())
    }

    fn all(&self) -> Vec<NodeIndex> {
        let all = (0..self.members.len()).map(index);
        all.filter(|node| !self.is_host(*node)).collect()
    }

    fn like(&self, pattern: &str) -> Vec<NodeIndex> {
        let members = self.members.iter().enumerate();
        members
            .filter(|(_, member)| !member.spec.is_host())
            .filter(|(_, member)| matches(pattern, member.name.as_str()))
            .map(|(at, _)| index(at))
            .collect()
    }

    /// Whether all nodes could be read; otherwise what is missing may be what was meant.
    fn is_complete(&self) -> bool {
        let known =
            |spec: &crate::spec::NodeSpec| spec.count != Count::Unreadable && spec.role.is_some();
        self.topology.nodes_complete && self.topology.nodes.iter().all(known)
    }

    fn unknown(
        &self,
        name: &str,
        term: &Spanned<Selector>,
        what: &str,
        reports: &mut Vec<Diagnostic>,
    ) {
        let mut specs = self.topology.nodes.iter();
        let of_unread = specs.any(|spec| {
            let rest = name.strip_prefix(spec.name.value.as_str());
            spec.count == Count::Unreadable
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        });
        let may_be_role = crate::spec::ROLES.contains(&name) && !self.is_complete();
        if !self.topology.nodes_complete || of_unread || may_be_role {
            return;
        }
        let near = match name {
            "host" => "; `host` is there when a node has `ports`".to_owned(),
            _ => {
                let near = self.suggestion(name);
                near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
            }
        };
        let name = crate::spec::short(name);
        let message = format!("{what} refers to node `{name}`, which is not defined");
        reports.push(
            Diagnostic::error("unknown-node", message)
                .at(term.span, "no such node")
                .help(format!("defined nodes are {}{near}", self.describe())),
        );
    }

    fn suggestion(&self, name: &str) -> Option<&str> {
        self.suggested.set(self.suggested.get() + 1);
        if self.suggested.get() > MAX_SUGGESTED {
            return None;
        }
        let entries = self.topology.nodes.iter();
        let entries = entries.map(|spec| spec.name.value.as_str());
        let members = self.members.iter().take(ALL_SUGGESTED);
        let members = members.map(|member| member.name.as_str());
        nearest(name, entries.take(ALL_SUGGESTED).chain(members))
    }
}
