//! What the fabric makes of a lab's networks against what the lab itself says.

use super::fabric_config;
use crate::fabric::Fabric;
use crate::id::{NetworkIndex, NodeIndex};
use crate::lab::{load, route};
use crate::spec::{LoadOptions, Source};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Two ways from `a` to `d`: over fewer routers with more wires, and the other way round.
const LABS: [&str; 3] = [
    "
networks: { a: { shape: line }, b: {}, c: {}, d: {} }
nodes:
  source: { image: x, networks: a }
  near: { image: x, networks: [a, b], forward: true }
  between: { image: x, networks: [b, c], forward: true }
  last: { image: x, networks: [c, d], forward: true }
  idle: { image: x, count: 4, networks: a }
  far: { image: x, networks: [a, d], forward: true }
  target: { image: x, networks: d }
",
    "
networks: { a: { shape: ring }, b: { shape: star, hub: two }, c: { reach: adjacent, shape: line } }
nodes:
  one: { image: x, networks: [a, b], forward: true }
  two: { image: x, networks: [b, c], forward: true }
  three: { image: x, networks: [a, c], forward: true }
  leaf: { image: x, count: 5, networks: [a] }
  guest: { image: x, count: 3, networks: [c] }
  both: { image: x, networks: [c, b] }
",
    "
networks: { a: {}, b: {}, alone: {} }
nodes:
  one: { image: x, networks: [b, a], forward: true }
  two: { image: x, networks: [a, b], forward: true }
  leaf: { image: x, networks: a }
  hermit: { image: x, networks: alone }
",
];

#[test]
fn devices_lead_where_the_routes_of_the_lab_do() {
    for text in LABS {
        let (name, text) = ("t.yaml".into(), format!("name: t\n{text}"));
        let loaded = load(&Source { name, text }, &LoadOptions::default());
        let lab = loaded.unwrap_or_else(|errors| panic!("{errors}")).lab;
        let fabric = Fabric::start(fabric_config(&lab)).unwrap();
        let mut seen = 0;
        for node in (0..lab.nodes.len() as u32).map(NodeIndex) {
            type Routes = BTreeSet<(NetworkIndex, (IpAddr, u8))>;
            let mut expected = Routes::new();
            for route in route::routes(&lab, node) {
                let v6 = (IpAddr::V6(route.v6.0), route.v6.1);
                let v4 = (IpAddr::V4(route.v4.0), route.v4.1);
                expected.extend([v4, v6].map(|prefix| (route.network, prefix)));
            }
            let specs = fabric.wire_specs(node).unwrap();
            let own: Vec<_> = specs.iter().map(|(network, _)| *network).collect();
            let places = &lab.nodes[node.at()].interfaces;
            assert_eq!(own, places.iter().map(|p| p.network).collect::<Vec<_>>());
            let all = specs.into_iter();
            let found: Routes = all
                .flat_map(|(network, spec)| spec.routes.into_iter().map(move |to| (network, to)))
                .collect();
            seen += found.len();
            assert_eq!(found, expected, "{}", lab.nodes[node.at()].name);
        }
        assert!(seen > 0);
    }
}
