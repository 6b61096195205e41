//! What runs in each node, with every name an address.

use super::model::{Healthcheck, Image, Node, Program};
use super::networks::Places;
use super::overlay;
use super::roster::{Roster, index};
use super::shape::Graph;
use crate::id::NodeIndex;
use crate::spec::{Diagnostic, Listener, NodeSpec, ProgramSpec, Selection};
use netlab_protocol::role::{Client, Endpoint, Load, Peer, Role, Server};
use std::ops::Range;
use std::sync::Arc;

/// Addresses of others, files and variables that all nodes together may have: a peer knows all of its
/// peers, a client all of its targets.
const MAX_ENDPOINTS: u64 = 1_000_000;
/// Bytes of a text that count as one of them.
const TEXT: u64 = 64;

/// All nodes; none when something was reported.
pub(super) fn nodes(
    roster: &Roster<'_>,
    places: &Places,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<Node>> {
    let mut nodes = Vec::with_capacity(roster.members.len());
    let mut complete = true;
    let mut endpoints = 0;
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        let maker = Maker {
            roster,
            places,
            spec,
            first: index(range.start),
        };
        let made = maker.programs(range, &mut endpoints, reports);
        let Some(programs) = made else {
            complete = false;
            continue;
        };
        for (at, program) in range.clone().zip(programs) {
            nodes.push(Node {
                name: roster.members[at].name.clone(),
                group: spec.name.value.clone(),
                labels: spec.labels.clone(),
                interfaces: places.interfaces[at].clone(),
                forward: spec.forward.is_some(),
                uplink: spec.uplink,
                downlink: spec.downlink,
                ports: spec.ports.iter().map(|port| port.value).collect(),
                volume: spec.program.as_ref().and_then(ProgramSpec::volume),
                program,
            });
        }
    }
    complete.then_some(nodes)
}

/// Makes the programs of one entry of `nodes`.
struct Maker<'r, 't> {
    roster: &'r Roster<'t>,
    places: &'r Places,
    spec: &'t NodeSpec,
    /// The first of them: all are in the same networks.
    first: NodeIndex,
}

impl Maker<'_, '_> {
    fn programs(
        &self,
        range: &Range<usize>,
        endpoints: &mut u64,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<Vec<Program>> {
        let count = range.len();
        match self.spec.program.as_ref()? {
            ProgramSpec::Host => Some(vec![Program::Host; count]),
            ProgramSpec::Server { listener, files } => {
                self.afford(count as u64 * files.len() as u64, endpoints, reports)?;
                let server = Server {
                    port: listener.port,
                    service: listener.service.clone(),
                    data: listener.data,
                    files: files.clone(),
                };
                Some(vec![Program::Role(Role::Server(server)); count])
            }
            ProgramSpec::Client { target, load } => {
                let targets = self.targets(target, reports)?;
                self.afford(count as u64 * targets.len() as u64, endpoints, reports)?;
                let load = load.clone();
                let client = Client { targets, load };
                Some(vec![Program::Role(Role::Client(client)); count])
            }
            ProgramSpec::Peer { listener, load } => {
                if let Some((Some(target), _)) = load {
                    self.all_peers(target, range, reports)?;
                }
                self.afford(count as u64 * count as u64, endpoints, reports)?;
                let graph = overlay::graph(self.roster, self.spec, range, reports)?;
                let load = load.as_ref().map(|(_, load)| load);
                Some(self.peers(range, &graph, listener, load))
            }
            ProgramSpec::Image {
                image,
                command,
                env,
                health,
                metrics,
                ..
            } => {
                let words = command.iter().flatten().map(String::len);
                let env = env.iter();
                let texts = words.chain(env.clone().map(|(name, value)| name.len() + value.len()));
                let cost: u64 = texts.map(|bytes| 1 + bytes as u64 / TEXT).sum();
                self.afford(count as u64 * cost, endpoints, reports)?;
                let image = Image {
                    image: image.clone(),
                    command: command.clone(),
                    env: env.map(|(k, v)| (k.clone(), v.clone())).collect(),
                    healthcheck: health.map(|tcp| Healthcheck { tcp }),
                    metrics: metrics.clone(),
                };
                Some(vec![Program::Image(image); count])
            }
        }
    }

    /// Reports when the nodes have to know too many others.
    fn afford(&self, more: u64, spent: &mut u64, reports: &mut Vec<Diagnostic>) -> Option<()> {
        *spent += more;
        if *spent <= MAX_ENDPOINTS {
            return Some(());
        }
        let message =
            format!("the nodes would have {spent} addresses of others, files and variables");
        reports.push(
            Diagnostic::error("too-many", message)
                .at(self.spec.name.span, "here it becomes too much")
                .help(format!(
                    "{MAX_ENDPOINTS} are possible in all: a client knows all of its targets, a peer all of its peers, and long texts count as several"
                )),
        );
        None
    }

    /// Whom the clients ask.
    fn targets(&self, target: &Selection, reports: &mut Vec<Diagnostic>) -> Option<Vec<Endpoint>> {
        let what = format!("the load of `{}`", self.spec.name.value);
        let nodes = self.roster.select(target, &what, reports)?;
        let is_client =
            |node: &&NodeIndex| self.roster.members[node.at()].spec.role == Some("client");
        if let Some(&client) = nodes.iter().find(is_client) {
            let name = &self.roster.members[client.at()].name;
            let message = format!("`{name}` is a client; load goes to servers, peers and images");
            reports.push(Diagnostic::error("bad-target", message).at(target.span, ""));
            return None;
        }
        if nodes.iter().any(|node| self.roster.is_host(*node)) {
            let message =
                "`host` takes no load: it is the engine's host, where ports are published";
            reports.push(Diagnostic::error("bad-target", message).at(target.span, ""));
            return None;
        }
        nodes.into_iter().map(|node| self.endpoint(node)).collect()
    }

    /// Where a node takes requests; none when it takes none, or is not known.
    fn endpoint(&self, node: NodeIndex) -> Option<Endpoint> {
        let member = &self.roster.members[node.at()];
        let port = match member.spec.program.as_ref()? {
            ProgramSpec::Server { listener, .. } | ProgramSpec::Peer { listener, .. } => {
                listener.port
            }
            ProgramSpec::Image { port, .. } => *port,
            ProgramSpec::Client { .. } | ProgramSpec::Host => return None,
        };
        let addresses = self.places.addresses(self.first, node);
        Some(Endpoint {
            name: member.name.to_string(),
            v4: addresses.v4,
            v6: addresses.v6,
            port,
        })
    }

    /// Peers ask all peers of their entry; a target that says otherwise is refused.
    fn all_peers(
        &self,
        target: &Selection,
        range: &Range<usize>,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<()> {
        let nodes = self.roster.select(target, "the load of peers", reports)?;
        if nodes.iter().map(|node| node.at()).eq(range.clone()) {
            return Some(());
        }
        let name = &self.spec.name.value;
        let message = format!("each peer of `{name}` asks all peers of `{name}`");
        reports.push(
            Diagnostic::error("bad-target", message)
                .at(target.span, "")
                .help("leave `target` out"),
        );
        None
    }

    fn peers(
        &self,
        range: &Range<usize>,
        graph: &Graph,
        listener: &Listener,
        load: Option<&Load>,
    ) -> Vec<Program> {
        let peers: Arc<[Endpoint]> = range
            .clone()
            .filter_map(|at| self.endpoint(index(at)))
            .collect();
        let peer = |own: usize| Peer {
            port: listener.port,
            service: listener.service.clone(),
            data: listener.data,
            index: own as u32,
            peers: Arc::clone(&peers),
            next_hop: graph.next_hops(own),
            load: load.cloned(),
        };
        (0..peers.len())
            .map(|own| Program::Role(Role::Peer(peer(own))))
            .collect()
    }
}
