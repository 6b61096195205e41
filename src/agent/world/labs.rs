//! Labs and faults for tests of the agent.

use crate::fault::{Effect, LinkEffect, NodeEffect, Pairs};
use crate::id::{Name, NetworkIndex, NodeIndex};
use crate::lab::{
    Addresses, FORMAT, Interface, Lab, Links, Network, Node, Program, Scenario, ScheduledFault,
};
use crate::link::LinkProperties;
use netlab_protocol::role::{Data, Role, Server, Service};
use std::collections::BTreeMap;
use std::time::Duration;

/// A lab of `count` servers `n-1`, `n-2`, ….
pub(in crate::agent) fn lab(count: u32, scenario: Option<Scenario>) -> Lab {
    let node = |i: u32| Node {
        name: Name::new(format!("n-{}", i + 1)).unwrap(),
        group: Name::new("n").unwrap(),
        labels: Vec::new(),
        interfaces: vec![Interface {
            network: NetworkIndex(0),
            addresses: Addresses {
                v4: std::net::Ipv4Addr::from(0x0a4d_0002 + i),
                v6: std::net::Ipv6Addr::from((0xfd77_u128 << 112) + 2 + u128::from(i)),
            },
            fixed: false,
        }],
        forward: false,
        uplink: None,
        downlink: None,
        ports: Vec::new(),
        volume: None,
        program: Program::Role(Role::Server(Server {
            port: 80,
            service: Service {
                time: Duration::ZERO,
                distribution: Default::default(),
                workers: 1,
                queue: 1,
            },
            data: Data::Memory,
            files: Vec::new(),
        })),
    };
    Lab {
        format: FORMAT,
        name: Name::new("t").unwrap(),
        seed: 7,
        networks: vec![Network::implicit(Links {
            default: LinkProperties::default(),
            others: Vec::new(),
        })],
        nodes: (0..count).map(node).collect(),
        groups: BTreeMap::new(),
        sampling: crate::lab::SAMPLING,
        traces: Vec::new(),
        checks: Vec::new(),
        scenario,
    }
}

pub(in crate::agent) fn fault(
    name: &str,
    kind: &str,
    at: u64,
    lasts: Option<u64>,
    effects: Vec<Effect>,
) -> ScheduledFault {
    ScheduledFault {
        name: Name::new(name).unwrap(),
        occurrence: 1,
        kind: kind.into(),
        target: "n-1".into(),
        at: Duration::from_secs(at),
        since: None,
        lasts: lasts.map(Duration::from_secs),
        effects,
    }
}

pub(in crate::agent) fn on(node: u32, effect: NodeEffect) -> Effect {
    Effect::Node {
        node: NodeIndex(node),
        effect,
    }
}

pub(in crate::agent) fn machine_kill(name: &str, at: u64, lasts: u64) -> ScheduledFault {
    let silence = Effect::Links {
        pairs: Pairs::Touching(vec![NodeIndex(0)]),
        effect: LinkEffect::Down,
    };
    let kill = on(
        0,
        NodeEffect::Kill {
            kernel_answers: false,
        },
    );
    fault(name, "kill", at, Some(lasts), vec![silence, kill])
}

pub(in crate::agent) fn scenario(faults: Vec<ScheduledFault>) -> Option<Scenario> {
    Some(Scenario {
        warmup: Duration::from_secs(1),
        duration: Duration::from_secs(10),
        quiet: Duration::ZERO,
        conditions: Vec::new(),
        faults,
    })
}
