//! Addresses that stay: a node that is up keeps its own while others come and go.
//!
//! Owns who has which address when a lab becomes another one. A new lab's addresses follow the file's
//! order; without this, a node before others would move them all. Must not know containers.

use super::model::{Addresses, Lab, Node, Program, RESOLVER, Subnet};
use netlab_protocol::role::{Endpoint, Role};
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

impl Lab {
    /// This lab with the addresses that its nodes have in `running`, wherever the file fixes no other.
    /// Whoever is new takes the address that the file's order gives it, or, when that one is taken, the
    /// first free one.
    #[must_use]
    pub fn settled(mut self, running: &Lab) -> Lab {
        let mut moved = Moved::default();
        for at in 0..self.networks.len() {
            let network = &self.networks[at];
            let same = |other: &super::Network| {
                other.name == network.name && other.subnet() == network.subnet()
            };
            if let Some(before) = running.networks.iter().position(same) {
                let subnet = network.subnet();
                let own = own_addresses(running, before);
                settle(&mut self.nodes, at, subnet, &own, &mut moved);
            }
        }
        readdress(&mut self.nodes, &moved);
        self
    }
}

/// Addresses of nodes in one network of a lab, by the nodes' names.
fn own_addresses(lab: &Lab, network: usize) -> HashMap<&str, Addresses> {
    let own = lab.nodes.iter().filter_map(|node| {
        let mut interfaces = node.interfaces.iter();
        let found = interfaces.find(|one| one.network.at() == network)?;
        Some((node.name.as_str(), found.addresses))
    });
    own.collect()
}

/// Addresses that the file's order gave, and those that nodes have instead.
#[derive(Default)]
struct Moved {
    v4: HashMap<Ipv4Addr, Ipv4Addr>,
    v6: HashMap<Ipv6Addr, Ipv6Addr>,
}

/// Addresses that are given.
#[derive(Default)]
struct Taken {
    v4: HashSet<Ipv4Addr>,
    v6: HashSet<Ipv6Addr>,
}

impl Taken {
    fn has(&self, addresses: &Addresses) -> bool {
        self.v4.contains(&addresses.v4) || self.v6.contains(&addresses.v6)
    }

    /// Takes them, when both are free.
    fn take(&mut self, addresses: Addresses) -> bool {
        let free = !self.has(&addresses);
        if free {
            self.v4.insert(addresses.v4);
            self.v6.insert(addresses.v6);
        }
        free
    }
}

fn settle(
    nodes: &mut [Node],
    network: usize,
    subnet: Subnet,
    own: &HashMap<&str, Addresses>,
    moved: &mut Moved,
) {
    let mut taken = Taken::default();
    let mut open = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let interfaces = node.interfaces.iter().enumerate();
        for (place, one) in interfaces.filter(|(_, one)| one.network.at() == network) {
            match one.fixed {
                true => drop(taken.take(one.addresses)),
                false => open.push((at, place)),
            }
        }
    }
    let mut give = |nodes: &mut [Node], (at, place): (usize, usize), to: Addresses| {
        let from = std::mem::replace(&mut nodes[at].interfaces[place].addresses, to);
        moved.v4.insert(from.v4, to.v4);
        moved.v6.insert(from.v6, to.v6);
    };
    open.retain(|&(at, place)| {
        let kept = own.get(nodes[at].name.as_str()).copied();
        let kept = kept.filter(|kept| taken.take(*kept));
        kept.is_none_or(|kept| {
            give(nodes, (at, place), kept);
            false
        })
    });
    open.retain(|&(at, place)| !taken.take(nodes[at].interfaces[place].addresses));
    let last = u32::MAX.unbounded_shr(u32::from(subnet.v4_prefix));
    let mut hosts = RESOLVER + 1..last;
    for place in open {
        // There are at least as many hosts as members, or the file would have been refused.
        if let Some(free) = hosts.find(|host| taken.take(subnet.host(*host))) {
            give(nodes, place, subnet.host(free));
        }
    }
}

/// Tells every node the addresses of whom it asks. Peers share one list, and go on sharing it.
fn readdress(nodes: &mut [Node], moved: &Moved) {
    let renew = |endpoint: &Endpoint| Endpoint {
        v4: *moved.v4.get(&endpoint.v4).unwrap_or(&endpoint.v4),
        v6: *moved.v6.get(&endpoint.v6).unwrap_or(&endpoint.v6),
        ..endpoint.clone()
    };
    let mut lists: Vec<[Arc<[Endpoint]>; 2]> = Vec::new();
    for node in nodes {
        match &mut node.program {
            Program::Role(Role::Client(client)) => {
                client.targets = client.targets.iter().map(renew).collect();
            }
            Program::Role(Role::Peer(peer)) => {
                let known = lists.iter().find(|[old, _]| Arc::ptr_eq(old, &peer.peers));
                let new = match known {
                    Some([_, new]) => Arc::clone(new),
                    None => {
                        let new: Arc<[Endpoint]> = peer.peers.iter().map(renew).collect();
                        lists.push([Arc::clone(&peer.peers), Arc::clone(&new)]);
                        new
                    }
                };
                peer.peers = new;
            }
            Program::Role(Role::Server(_)) | Program::Image(_) | Program::Host => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LoadOptions, Source};
    use proptest::prelude::*;

    fn lab(text: &str) -> Lab {
        let source = Source {
            name: "lab.yaml".to_owned(),
            text: text.to_owned(),
        };
        let loaded = super::super::load(&source, &LoadOptions::default());
        loaded.unwrap_or_else(|errors| panic!("{errors}")).lab
    }

    fn star(clients: u32, caches: u32) -> Lab {
        lab(&format!(
            "name: t\nnodes:\n  client: {{ role: client, count: {clients}, load: {{ target: cache, rate: 1/s }} }}\n  cache: {{ role: server, count: {caches} }}\n"
        ))
    }

    fn address(lab: &Lab, name: &str) -> Ipv4Addr {
        let node = lab.node(name).unwrap();
        lab.nodes[node.at()].addresses().v4
    }

    #[test]
    fn nodes_that_are_up_keep_their_addresses() {
        let (before, after) = (star(2, 1), star(4, 1));
        assert_eq!(address(&before, "cache-1"), Ipv4Addr::new(10, 77, 0, 4));
        assert_eq!(address(&after, "cache-1"), Ipv4Addr::new(10, 77, 0, 6));
        let settled = after.settled(&before);
        assert_eq!(address(&settled, "cache-1"), Ipv4Addr::new(10, 77, 0, 4));
        // The file's order gave client-3 the address that the cache has.
        assert_eq!(address(&settled, "client-4"), Ipv4Addr::new(10, 77, 0, 5));
        assert_eq!(address(&settled, "client-3"), Ipv4Addr::new(10, 77, 0, 6));
        let Program::Role(Role::Client(client)) = &settled.nodes[0].program else {
            panic!("no client");
        };
        assert_eq!(client.targets[0].v4, Ipv4Addr::new(10, 77, 0, 4));
        assert_eq!(client.targets[0].v6, "fd77::4".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn the_file_goes_before_what_is_up() {
        let text = |address: &str| {
            format!(
                "name: t\nnetworks: {{ lan: }}\nnodes:\n  a: {{ role: server, networks: {{ lan: {{ {address} }} }} }}\n  b: {{ role: server, networks: lan }}\n"
            )
        };
        let before = lab(&text(""));
        let after = lab(&text("address: 10.77.0.3")).settled(&before);
        assert_eq!(address(&before, "b"), Ipv4Addr::new(10, 77, 0, 3));
        assert_eq!(address(&after, "a"), Ipv4Addr::new(10, 77, 0, 3));
        assert_eq!(address(&after, "b"), Ipv4Addr::new(10, 77, 0, 2));
    }

    #[test]
    fn a_lab_settles_on_itself() {
        let lab = star(3, 2);
        assert_eq!(lab.clone().settled(&lab), lab);
    }

    proptest! {
        #[test]
        fn no_address_is_given_twice(sizes in prop::collection::vec((1..9_u32, 1..5_u32), 2..5)) {
            let mut running = star(sizes[0].0, sizes[0].1);
            for (clients, caches) in &sizes[1..] {
                let next = star(*clients, *caches).settled(&running);
                let all: HashSet<Ipv4Addr> = next.nodes.iter().map(|n| n.addresses().v4).collect();
                prop_assert_eq!(all.len(), next.nodes.len());
                for node in &next.nodes {
                    if running.node(node.name.as_str()).is_some() {
                        let before = address(&running, node.name.as_str());
                        prop_assert_eq!(node.addresses().v4, before);
                    }
                    if let Program::Role(Role::Client(client)) = &node.program {
                        for target in &client.targets {
                            prop_assert_eq!(target.v4, address(&next, &target.name));
                        }
                    }
                }
                running = next;
            }
        }
    }
}
