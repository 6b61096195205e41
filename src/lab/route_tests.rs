//! Ways over wires and through nodes that forward.

use super::*;
use crate::lab::load;
use crate::lab::shape::{Graph, Shape, square};
use crate::spec::{LoadOptions, Source};
use proptest::prelude::*;

fn lab(text: &str) -> Lab {
    let name = "t.yaml".into();
    let text = format!("name: t\n{text}");
    let loaded = load(&Source { name, text }, &LoadOptions::default());
    loaded.unwrap_or_else(|errors| panic!("{errors}")).lab
}

/// The nodes of a path, the first included.
fn way(lab: &Lab, from: &str, to: &str) -> Option<Vec<String>> {
    let hops = path(lab, lab.node(from).unwrap(), lab.node(to).unwrap())?;
    let name = |node: NodeIndex| lab.nodes[node.at()].name.to_string();
    let first = std::iter::once(from.to_owned());
    Some(first.chain(hops.iter().map(|hop| name(hop.to))).collect())
}

#[test]
fn a_packet_takes_the_first_of_the_shortest_ways() {
    let lab = lab("shape: ring\nnodes: { n: { image: x, count: 6 } }");
    assert_eq!(way(&lab, "n-1", "n-1").unwrap(), ["n-1"]);
    assert_eq!(way(&lab, "n-1", "n-2").unwrap(), ["n-1", "n-2"]);
    assert_eq!(
        way(&lab, "n-1", "n-4").unwrap(),
        ["n-1", "n-2", "n-3", "n-4"]
    );
    assert_eq!(
        way(&lab, "n-4", "n-1").unwrap(),
        ["n-4", "n-3", "n-2", "n-1"]
    );
    assert_eq!(way(&lab, "n-1", "n-5").unwrap(), ["n-1", "n-6", "n-5"]);
    assert!(routes(&lab, NodeIndex(0)).is_empty());
}

#[test]
fn with_reach_adjacent_only_neighbours_are_reached() {
    let lab = lab("shape: line\nreach: adjacent\nnodes: { n: { image: x, count: 3 } }");
    assert_eq!(way(&lab, "n-1", "n-2").unwrap(), ["n-1", "n-2"]);
    assert_eq!(way(&lab, "n-1", "n-3"), None);
}

const CHAIN: &str = "
networks: { a: {}, b: { shape: line }, c: {}, far: {} }
nodes:
  left: { image: x, networks: a }
  near: { image: x, networks: [a, b], forward: true }
  mid: { image: x, networks: b }
  last: { image: x, networks: [b, c], forward: true }
  right: { image: x, networks: c }
  deaf: { image: x, networks: [c, far] }
  alone: { image: x, networks: far }
";

#[test]
fn between_networks_only_forwarders_pass_on() {
    let lab = lab(CHAIN);
    let expected = ["left", "near", "mid", "last", "right"];
    assert_eq!(way(&lab, "left", "right").unwrap(), expected);
    let networks = path(&lab, lab.node("left").unwrap(), lab.node("right").unwrap());
    let networks: Vec<u32> = networks.unwrap().iter().map(|hop| hop.network.0).collect();
    assert_eq!(networks, [0, 1, 1, 2]);
    // `deaf` is in both networks, but passes nothing on.
    assert_eq!(way(&lab, "left", "alone"), None);
    assert_eq!(way(&lab, "deaf", "alone").unwrap(), ["deaf", "alone"]);
}

#[test]
fn a_node_has_a_route_to_each_network_that_it_can_reach() {
    let lab = lab(CHAIN);
    let of = |name: &str| -> Vec<(u32, u32, String, String)> {
        let routes = routes(&lab, lab.node(name).unwrap());
        let row = |route: &Route| {
            let gateway = lab.nodes[route.gateway.at()].name.to_string();
            let (address, prefix) = route.v4;
            (
                route.to.0,
                route.network.0,
                gateway,
                format!("{address}/{prefix}"),
            )
        };
        routes.iter().map(row).collect()
    };
    let row =
        |to, network, gateway: &str, v4: &str| (to, network, gateway.to_owned(), v4.to_owned());
    let left = [
        row(1, 0, "near", "10.78.0.0/16"),
        row(2, 0, "near", "10.79.0.0/16"),
    ];
    assert_eq!(of("left"), left);
    assert_eq!(of("near"), [row(2, 1, "last", "10.79.0.0/16")]);
    let mid = [
        row(0, 1, "near", "10.77.0.0/16"),
        row(2, 1, "last", "10.79.0.0/16"),
    ];
    assert_eq!(of("mid"), mid);
    assert!(of("alone").is_empty());
}

#[test]
fn of_two_gateways_the_nearer_one_is_taken_and_of_two_equal_ones_the_first() {
    let text = |shape: &str| {
        format!(
            "networks: {{ a: {{ {shape} }}, b: {{}} }}\nnodes:\n  one: {{ image: x, networks: [a, b], forward: true }}\n  from: {{ image: x, count: 3, networks: a }}\n  two: {{ image: x, networks: [a, b], forward: true }}\n  to: {{ image: x, networks: b }}\n"
        )
    };
    let full = lab(&text(""));
    assert_eq!(way(&full, "from-3", "to").unwrap(), ["from-3", "one", "to"]);
    let line = lab(&text("shape: line"));
    assert_eq!(way(&line, "from-1", "to").unwrap(), ["from-1", "one", "to"]);
    assert_eq!(
        way(&line, "from-2", "to").unwrap(),
        ["from-2", "from-1", "one", "to"]
    );
    assert_eq!(way(&line, "from-3", "to").unwrap(), ["from-3", "two", "to"]);
}

#[test]
fn a_client_asks_at_the_address_in_the_network_that_it_shares() {
    let lab = lab(
        "networks: { a: {}, b: {} }\nnodes:\n  server: { role: server, networks: [a, b] }\n  client: { role: client, networks: b, load: { target: server, rate: 1/s } }\n",
    );
    let target = match &lab.nodes[1].program {
        crate::lab::Program::Role(netlab_protocol::role::Role::Client(client)) => {
            client.targets[0].v4
        }
        other => panic!("not a client: {other:?}"),
    };
    let inside = lab.nodes[0].interface(NetworkIndex(1)).unwrap();
    assert_eq!(target, inside.addresses.v4);
    assert_ne!(target, lab.nodes[0].addresses().v4);
}

const SHAPES: [&str; 7] = [
    "full",
    "ring",
    "line",
    "grid",
    "tree",
    "random",
    "small-world",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A network's wires are the shape's edges between its members, whoever else the lab has; every
    /// member is reached, in as many wires as the hops of each node on the way say.
    #[test]
    fn a_shape_wires_the_members_of_its_network(
        which in 0..SHAPES.len(), count in 1..24_usize, others in 0..3_usize, seed in 0..1000_u64,
    ) {
        let text = format!(
            "seed: {seed}\nnetworks: {{ lan: {{ shape: {} }}, wan: {{}} }}\nnodes:\n  other: {{ image: x, count: {}, networks: wan }}\n  n: {{ image: x, count: {count}, networks: lan }}\n",
            SHAPES[which], others + 1,
        );
        let lab = lab(&text);
        let members: Vec<NodeIndex> = lab.members(NetworkIndex(0)).collect();
        prop_assert_eq!(members.len(), count);
        prop_assert_eq!(members[0].at(), others + 1);
        let shape = match SHAPES[which] {
            "full" => Shape::Full,
            "ring" => Shape::Ring,
            "line" => Shape::Line,
            "grid" => Shape::Grid { width: square(count) },
            "tree" => Shape::Tree { children: 2 },
            "random" => Shape::Random { degree: 4 },
            _ => Shape::SmallWorld { degree: 4, rewire: 0.1 },
        };
        let draw = [netlab_protocol::draw::name("network"), netlab_protocol::draw::name("lan")];
        let graph = Graph::new(shape, count, netlab_protocol::draw::bits(seed, &draw)).unwrap();
        let routes = Routes::new(&lab);
        for (a, from) in members.iter().enumerate() {
            let degree = members.iter().filter(|to| lab.networks[0].wires.has(*from, **to)).count();
            prop_assert_eq!(degree, graph.neighbours(a).len());
            for (b, to) in members.iter().enumerate() {
                let hops = routes.path(*from, *to).unwrap();
                let mut at = a;
                for hop in &hops {
                    prop_assert_eq!(hop.from, members[at]);
                    at = graph.next_hops(at)[b].unwrap() as usize;
                    prop_assert_eq!(hop.to, members[at]);
                }
                prop_assert_eq!(at, b);
            }
        }
        if let Wires::Edges(edges) = &lab.networks[0].wires {
            prop_assert!(edges.is_sorted_by(|a, b| a < b) && edges.iter().all(|(a, b)| a < b));
            prop_assert_eq!(edges.len(), graph.edges().count());
        }
    }
}
