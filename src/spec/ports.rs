//! `ports:`, and the node `host` that they bring along.
//!
//! Owns what can be said of published ports by looking at the file alone.

use super::defaults::MAX_PUBLISHED;
use super::diagnostic::Diagnostic;
use super::reader::Reader;
use super::source::Spanned;
use super::topology::{Count, NodeSpec, PlaceSpec, Places, ProgramSpec, Topology};
use super::tree::{Data, Value};
use crate::id::Name;
use crate::port::{PortError, PortMapping, Protocol};

impl Reader<'_> {
    /// What a node publishes; entries that cannot be read are reported.
    pub(super) fn ports(&self, value: &Value) -> Vec<Spanned<PortMapping>> {
        let entries = self.one_or_more(value).into_iter();
        entries.filter_map(|entry| self.published(entry)).collect()
    }

    fn published(&self, value: &Value) -> Option<Spanned<PortMapping>> {
        if matches!(value.data, Data::Map(_)) && !self.is_bare_template(value) {
            let message = "expected a port such as \"8080:80\", found a map";
            self.report(
                Diagnostic::error("wrong-type", message)
                    .at(value.span, "")
                    .help("Compose's short form is read: \"127.0.0.1:8080:80\""),
            );
            return None;
        }
        let text = self.verbatim(value, "a port, such as \"8080:80\"")?;
        match text.trim().parse() {
            Ok(mapping) => Some(Spanned::new(mapping, value.span)),
            Err(PortError { what, cure }) => {
                self.report(
                    Diagnostic::error("bad-port", what)
                        .at(value.span, "")
                        .help(cure),
                );
                None
            }
        }
    }

    /// Adds the node `host` where anything is published, after all others so that their addresses
    /// are the same without it, in the primary networks of those who publish.
    pub(super) fn add_host(&self, topology: &mut Topology) {
        let publish = || topology.nodes.iter().filter(|node| !node.ports.is_empty());
        // A node that calls itself `host` was reported.
        let host = Name::host();
        if topology.nodes.iter().any(|node| node.name.value == host) {
            return publish().for_each(|node| self.judge_ports(node));
        }
        let Some(first) = publish().next() else {
            return;
        };
        let all: usize = publish().map(|node| node.ports.len()).sum();
        if all > MAX_PUBLISHED {
            let message = format!("a lab publishes at most {MAX_PUBLISHED} ports, this one {all}");
            self.report(
                Diagnostic::error("too-many", message).at(first.ports[0].span, "the first of them"),
            );
        }
        publish().for_each(|node| self.judge_ports(node));
        let host = NodeSpec {
            name: Spanned::new(host, first.ports[0].span),
            count: Count::Single,
            labels: Vec::new(),
            places: places(publish()),
            forward: None,
            uplink: None,
            downlink: None,
            ports: Vec::new(),
            role: Some("host"),
            program: Some(ProgramSpec::Host),
        };
        self.report_clashes(topology);
        topology.nodes.push(host);
    }

    /// Reports what cannot be meant of one node's ports.
    fn judge_ports(&self, node: &NodeSpec) {
        let name = &node.name.value;
        let replicas = match node.count {
            Count::Many(replicas) => replicas,
            Count::Single | Count::Unreadable => 1,
        };
        let own = match &node.program {
            Some(ProgramSpec::Server { listener, .. } | ProgramSpec::Peer { listener, .. }) => {
                Some(listener.port)
            }
            _ => None,
        };
        for port in &node.ports {
            let mapping = port.value;
            if mapping.host_port.is_some() && replicas > 1 {
                let message = format!(
                    "`{name}` is {replicas} nodes, which cannot all have port {} of the host",
                    mapping.host_name()
                );
                self.report(
                    Diagnostic::error("bad-port", message)
                        .at(port.span, "")
                        .at(node.name.span, "these")
                        .help(format!(
                            "leave the host's port out, each gets a free one: \"{}{}\" (`netlab port` lists them)",
                            mapping.port,
                            mapping.protocol.suffix()
                        )),
                );
            }
            if own.is_some() && mapping.protocol != Protocol::Tcp {
                let message = format!("`{name}` takes requests over TCP, not over UDP");
                self.report(
                    Diagnostic::error("bad-port", message)
                        .at(port.span, "")
                        .help("leave `/udp` out: only a node with an image may take datagrams"),
                );
            } else if let Some(own) = own.filter(|own| *own != mapping.port) {
                let message = format!(
                    "`{name}` takes requests at port {own}, not at {}",
                    mapping.port
                );
                let host = mapping.host_port.unwrap_or(8080);
                self.report(
                    Diagnostic::error("bad-port", message)
                        .at(port.span, "")
                        .help(format!(
                            "write \"{host}:{own}\", or say `port: {}`",
                            mapping.port
                        )),
                );
            }
        }
    }

    /// Reports ports of the host that are asked for twice.
    fn report_clashes(&self, topology: &Topology) {
        let nodes = topology.nodes.iter();
        let all: Vec<&Spanned<PortMapping>> = nodes.flat_map(|node| &node.ports).collect();
        for (at, port) in all.iter().enumerate().take(MAX_PUBLISHED) {
            let clash = all[..at].iter().find(|one| one.value.clashes(&port.value));
            if let Some(other) = clash {
                let message = format!(
                    "port {} of the host is published twice",
                    port.value.host_name()
                );
                self.report(
                    Diagnostic::error("bad-port", message)
                        .at(port.span, "")
                        .at(other.span, "first here")
                        .help("give one of them another port in front, or none for a free one"),
                );
            }
        }
    }
}

/// The primary networks of those who publish, each once.
fn places<'t>(publish: impl Iterator<Item = &'t NodeSpec>) -> Places {
    let mut found: Vec<PlaceSpec> = Vec::new();
    for node in publish {
        let primary = match &node.places {
            Places::Only => return Places::Only,
            Places::Unreadable => return Places::Unreadable,
            Places::These(places) => places.first(),
        };
        let Some(primary) = primary else { continue };
        let known = |one: &PlaceSpec| one.network.value == primary.network.value;
        if !found.iter().any(known) {
            found.push(PlaceSpec {
                network: primary.network.clone(),
                v4: Vec::new(),
                v6: Vec::new(),
            });
        }
    }
    Places::These(found)
}
