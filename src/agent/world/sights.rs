//! What the kernel, the fabric and programs of a small world show.

use super::World;
use crate::agent::compare::Stand;
use crate::agent::core::Input;
use crate::agent::process::{NodeSight, Process, VolumeSight};
use crate::agent::prove::{Look, Sight};
use crate::agent::replies::{Questions, Replies};
use crate::fabric::{DelaySnapshot, Dropped, LinkWitness, Place, ResolverManner, TRIED};
use crate::id::NodeIndex;

impl World {
    fn node(&self, node: NodeIndex) -> NodeSight {
        let (status, netns) = (self.status[node.at()], self.netns[node.at()]);
        let process = Process {
            pid: netns as i32,
            began: netns,
        };
        NodeSight {
            process: (status != "exited").then_some(process),
            frozen: Some(status == "paused" || self.frozen),
            limits: {
                let limits = self.limits[node.at()];
                let cpu = limits
                    .cpu
                    .map_or("max".into(), |cpu| (cpu.0 * 100).to_string());
                let memory = limits
                    .memory
                    .map_or("max".into(), |size| size.0.to_string());
                vec![("cpu.max", format!("{cpu} 100000")), ("memory.max", memory)]
            },
            volume: self.conditions.get(&node).map(|condition| VolumeSight {
                free: if condition.full { 0 } else { 4096 },
                size: 65536,
                read_only: condition.read_only,
            }),
            ..NodeSight::default()
        }
    }

    fn unusual(&self) -> impl Iterator<Item = (NodeIndex, ResolverManner)> + '_ {
        let all = self.manners.iter().map(|(node, manner)| (*node, *manner));
        all.filter(|(_, manner)| *manner != ResolverManner::default())
    }

    /// All answers are corrupt, or none is.
    fn answer(&self, (node, questions): &(NodeIndex, Questions)) -> (NodeIndex, Replies) {
        let asked = questions.tries;
        let wrong = self.conn[node.at()].and_then(|conn| self.told.get(&conn));
        let corrupt = match wrong {
            Some(wrong) if !wrong.is_empty() => asked,
            _ => 0,
        };
        let replies = Replies {
            asked,
            corrupt,
            right: asked - corrupt,
            ..Replies::default()
        };
        (*node, replies)
    }

    pub(super) fn look(&mut self, look: Look) {
        let link = |place: &Place| {
            let told = self.links.get(place);
            let declared = self.core.lab.networks[place.0.at()]
                .links
                .get(place.1, place.2);
            let down = told.is_some_and(|link| link.down);
            LinkWitness {
                place: *place,
                properties: told.map_or(*declared, |link| link.properties),
                down,
                packets: 0,
                dropped: Dropped::default(),
                delays: DelaySnapshot::default(),
                would_arrive: if down { 0 } else { TRIED },
            }
        };
        let sight = Sight {
            fault: look.fault,
            moment: look.moment,
            nodes: look.nodes.iter().map(|node| self.node(*node)).collect(),
            of: look.nodes.clone(),
            links: look.links.iter().map(link).collect(),
            manners: self.unusual().collect(),
            replies: look.questions.iter().map(|q| self.answer(q)).collect(),
        };
        self.core.handle(self.now, Input::Looked(sight));
    }

    pub(super) fn stand(&mut self) {
        let nodes = self.core.state.indices();
        let stand = Stand {
            nodes: nodes.map(|node| self.node(node)).collect(),
            manners: self.unusual().collect(),
            ..Stand::default()
        };
        self.core.handle(self.now, Input::Stood(stand));
    }
}
