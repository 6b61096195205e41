//! A client and peers as processes, over real sockets: outcomes, and the agent's restart.

#![allow(clippy::unwrap_used)]

mod support;

use netlab_protocol::control::{ToAgent, ToNode};
use netlab_protocol::latency::{Op, Outcome};
use netlab_protocol::role::{self, Data, Role};
use nix::sys::socket::{Backlog, listen};
use std::net::{Ipv4Addr, TcpListener};
use support::*;

#[test]
fn it_reads_and_writes_on_few_connections() {
    steady(|| {
        let port = free_port();
        let mut server = Lab::new(Role::Server(server(port, service(1, 4, 50), Data::Memory)));
        let mut client = Lab::new(Role::Client(client(port, 100.0)));
        client.go(1);
        client.until(|lab, _| lab.count(Outcome::Ok) >= 100);
        for outcome in [Outcome::Ok, Outcome::Missing] {
            assert!(
                client.outcomes[&(Op::Read, outcome)] > 0,
                "{:?}",
                client.outcomes
            );
        }
        assert!(client.outcomes[&(Op::Write, Outcome::Ok)] > 0);
        let good = client.count(Outcome::Ok) + client.count(Outcome::Missing);
        assert_eq!(
            good,
            client.outcomes.values().sum::<u32>(),
            "{:?}",
            client.outcomes
        );
        assert!(client.sample("bytes_sent_total") >= 100.0);
        assert!(client.sample("connections") < 20.0, "connections are kept");
        client.tell(&ToNode::Stop);
        server.until(|lab, _| {
            lab.last
                .as_ref()
                .is_some_and(|_| lab.sample("keys_held") > 0.0)
        });
    });
}

#[test]
fn a_full_server_is_busy_and_an_absent_one_refuses() {
    steady(|| {
        let port = free_port();
        let mut client = Lab::new(Role::Client(client(port, 50.0)));
        client.go(1);
        client.until(|lab, _| lab.count(Outcome::Refused) >= 40);
        assert_eq!(
            client
                .outcomes
                .keys()
                .filter(|(_, o)| *o != Outcome::Refused)
                .count(),
            0
        );
        // It comes, and is too slow for 50/s.
        let _server = Lab::new(Role::Server(server(port, service(100, 1, 0), Data::Memory)));
        client.until(|lab, _| lab.count(Outcome::Busy) >= 40 && lab.count(Outcome::Missing) >= 1);
    });
}

/// A machine that does not even answer the SYN: each request times out 500 ms after it was intended, none is
/// held up by those before it. A server that takes its place is found at once.
#[test]
fn silence_times_out_on_time_and_the_way_back_is_short() {
    steady(|| {
        let port = free_port();
        let silent = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        // With two connections in the backlog the kernel drops every further SYN: real silence.
        listen(&silent, Backlog::new(1).unwrap()).unwrap();
        let mut client = Lab::new(Role::Client(client(port, 50.0)));
        let zero = client.go(1);
        client.until(|lab, _| lab.count(Outcome::Timeout) >= 60);
        let timeouts = client
            .rows
            .iter()
            .filter(|(_, o, _)| *o == Outcome::Timeout);
        for (slot, _, us) in timeouts {
            // The deadline is exact by its own schedule, whatever the driver's lag.
            assert_eq!(
                *us,
                netlab_protocol::latency::bucket(500_000),
                "slot {slot}"
            );
        }
        drop(silent);
        let _server = Lab::new(Role::Server(server(port, service(0, 4, 50), Data::Memory)));
        let back = (now() - zero) / 100_000_000;
        client.rows.clear();
        let later = back as u32 + 10;
        client.until(|lab, _| lab.rows.iter().any(|(slot, ..)| *slot > later));
        let late = client
            .rows
            .iter()
            .filter(|(slot, o, _)| *slot > back as u32 && !o.is_success());
        assert_eq!(late.count(), 0, "{:?}", client.outcomes);
    });
}

#[test]
fn the_agents_restart_changes_nothing() {
    steady(|| {
        let port = free_port();
        let _server = Lab::new(Role::Server(server(port, service(0, 4, 50), Data::Memory)));
        let role = client(port, 50.0);
        let mut lab = Lab::new(Role::Client(role.clone()));
        let at = lab.go(3);
        lab.until(|lab, _| lab.rows.len() >= 50);
        lab.disconnect();
        lab.connected();
        lab.configure(Role::Client(role.clone()));
        lab.tell(&ToNode::Go { run: 3, at });
        lab.until(|lab, _| lab.rows.len() >= 200);
        // Every intended slot of the time away is there: 5 requests per 100 ms, and a report that is
        // on its way when the agent dies may be lost, which did not happen here.
        let last = lab.rows.iter().map(|(slot, ..)| *slot).max().unwrap();
        let slots: std::collections::BTreeSet<u32> =
            lab.rows.iter().map(|(slot, ..)| *slot).collect();
        assert!(slots.len() as u32 + 12 >= last, "{slots:?}");

        // Other load is taken at once.
        let mut other = role.clone();
        other.load = load(200.0);
        lab.configure(Role::Client(other));
        lab.rows.clear();
        lab.until(|lab, _| lab.rows.len() >= 300);
        assert_eq!(lab.last.as_ref().unwrap().run, 3);

        // A new run starts at its own zero.
        lab.go(4);
        lab.until(|lab, _| {
            lab.last
                .as_ref()
                .is_some_and(|r| r.run == 4 && !r.latency.is_empty())
        });
        let first = lab
            .last
            .as_ref()
            .unwrap()
            .latency
            .iter()
            .map(|r| r.slot)
            .max();
        assert!(first < Some(20), "{first:?}");

        // Another role needs a restart, and is said.
        lab.tell_role(Role::Server(server(port, service(0, 4, 50), Data::Memory)));
        lab.until(|_, message| matches!(message, ToAgent::Problem { .. }));
        let (status, said) = lab.ended();
        assert_eq!(status.code(), Some(78));
        assert!(said.contains("cannot change"), "{said}");
    });
}

#[test]
fn an_agent_that_makes_no_sense_is_told_so_and_asked_again() {
    let mut lab = Lab::new(Role::Client(client(free_port(), 0.0)));
    lab.tell_text("{\"dance\":1}");
    lab.connected();
    lab.until(|lab, _| !lab.problems.is_empty());
    assert!(
        lab.problems[0].contains("was not understood"),
        "{:?}",
        lab.problems
    );
}

/// Three peers in a row: the outer two reach each other through the one between them.
#[test]
fn peers_pass_requests_on() {
    steady(|| {
        let ports = [free_port(), free_port(), free_port()];
        let next_hop = [
            [Some(0), Some(1), Some(1)],
            [Some(0), Some(1), Some(2)],
            [Some(1), Some(1), Some(2)],
        ];
        let peer = |i: usize| role::Peer {
            port: ports[i],
            service: service(1, 4, 50),
            data: Data::Memory,
            index: i as u32,
            peers: ports.iter().map(|p| endpoint(*p)).collect(),
            next_hop: next_hop[i].to_vec(),
            load: (i == 0).then(|| load(60.0)),
        };
        let mut labs: Vec<Lab> = (0..3).map(|i| Lab::new(Role::Peer(peer(i)))).collect();
        labs[0].go(1);
        labs[0].until(|lab, _| lab.count(Outcome::Ok) >= 60);
        let all: u32 = labs[0].outcomes.values().sum();
        assert_eq!(
            all,
            labs[0].count(Outcome::Ok) + labs[0].count(Outcome::Missing)
        );
        labs[1]
            .until(|lab, _| lab.last.is_some() && lab.sample("requests_forwarded_total") >= 15.0);
        assert_eq!(http(ports[0], "PUT", "/keys/key-2", "far").0 / 100, 2);
        let (status, _, body) = http(ports[1], "GET", "/keys/key-2", "");
        // The load writes the same keys.
        assert!(status == 200 && (body == "far" || body.len() == 100 || !body.is_empty()));

        // The last one's process is gone: two hops away that is a refusal, too.
        labs[2].node.kill().unwrap();
        labs[2].node.wait().unwrap();
        labs[0].until(|lab, _| lab.count(Outcome::Refused) >= 15);
        let (status, head, _) = http(ports[0], "GET", "/keys/key-2", "");
        assert_eq!(status, 502);
        assert!(head.contains("netlab-failure: refused"), "{head}");
    });
}
