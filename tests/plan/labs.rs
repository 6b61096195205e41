//! Labs made by hand, for several tests and a benchmark; none uses all of it.

#![allow(dead_code, clippy::unwrap_used)]

use netlab::id::{Name, NetworkIndex};
use netlab::lab::{
    Addresses, FORMAT, Image, Interface, Lab, Links, Network, Node, Program, Scenario,
};
use netlab::link::LinkProperties;
use netlab_protocol::role::{Data, Role, Server, Service};
use std::collections::BTreeMap;
use std::time::Duration;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn server(data: Data) -> Program {
    Program::Role(Role::Server(Server {
        port: 80,
        service: Service {
            time: Duration::from_millis(2),
            distribution: Default::default(),
            workers: 4,
            queue: 256,
        },
        data,
        files: Vec::new(),
    }))
}

pub fn image(reference: &str) -> Program {
    Program::Image(Image {
        image: reference.to_owned(),
        command: None,
        env: BTreeMap::from([("LEVEL".to_owned(), "1".to_owned())]),
        healthcheck: None,
        metrics: None,
    })
}

pub fn lab(lab: &str, nodes: Vec<(&str, Program)>) -> Lab {
    let nodes = nodes
        .into_iter()
        .enumerate()
        .map(|(index, (text, program))| {
            let host = index as u8 + 2;
            Node {
                name: name(text),
                group: name(text),
                labels: Vec::new(),
                interfaces: vec![Interface {
                    network: NetworkIndex(0),
                    addresses: Addresses {
                        v4: [10, 77, 0, host].into(),
                        v6: [0xfd77, 0, 0, 0, 0, 0, 0, u16::from(host)].into(),
                    },
                    fixed: false,
                }],
                forward: false,
                uplink: None,
                downlink: None,
                ports: Vec::new(),
                volume: None,
                program,
            }
        });
    Lab {
        format: FORMAT,
        name: name(lab),
        seed: 7,
        sampling: netlab::lab::SAMPLING,
        traces: Vec::new(),
        checks: Vec::new(),
        networks: vec![Network::implicit(Links {
            default: LinkProperties::default(),
            others: Vec::new(),
        })],
        nodes: nodes.collect(),
        groups: BTreeMap::new(),
        scenario: None,
    }
}

pub fn scenario() -> Scenario {
    Scenario {
        warmup: Duration::from_secs(1),
        duration: Duration::from_secs(10),
        quiet: Duration::ZERO,
        conditions: Vec::new(),
        faults: Vec::new(),
    }
}
