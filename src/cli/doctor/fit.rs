//! Whether a machine carries a lab: what a few real containers and the real fabric took, times the
//! lab. Pure; measuring is done in `measure`.

use crate::cli::preflight::{Check, State};
use crate::lab::{Lab, Program};
use netlab_protocol::duration;
use netlab_protocol::role::{Arrivals, Load, Peer, Role};
use serde::Serialize;
use std::time::Duration;

/// Of what there is, a lab may take this share: the rest is for peaks and for the host itself.
const SHARE: f64 = 0.8;
/// A start that takes longer is worth a warning.
const LONG: Duration = Duration::from_secs(120);

/// What was measured on the machine, per node, packet and request.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Nodes that ran.
    pub nodes: usize,
    /// Time that a node's container takes to be created and started, several at once.
    #[serde(with = "duration")]
    pub start: Duration,
    /// Memory of a node and of what the engine runs beside it, in bytes.
    pub node_memory: u64,
    /// Resident memory of the agent, in bytes.
    pub agent_memory: u64,
    /// Packets that cross the fabric for one request.
    pub packets_per_request: f64,
    /// Processor time of the agent per packet.
    #[serde(with = "duration")]
    pub packet: Duration,
    /// Processor time of nodes per request.
    #[serde(with = "duration")]
    pub request: Duration,
}

/// What the machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Available {
    /// Memory in bytes.
    pub memory: u64,
    /// Cores.
    pub cores: u64,
}

/// A line of the estimate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// What is needed and had, and the cure.
    #[serde(flatten)]
    pub check: Check,
    /// What the lab takes.
    pub needed: String,
    /// What there is.
    pub available: String,
}

/// The load of a lab as its file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Demand {
    /// Containers, the agent's included.
    pub containers: usize,
    /// Requests per second of all nodes together.
    pub requests: f64,
    /// Requests per second, each counted once for every hop it takes.
    pub crossings: f64,
}

/// What a lab asks of a machine.
pub fn demand(lab: &Lab) -> Demand {
    let mut demand = Demand {
        containers: lab.containers().count() + 1,
        ..Demand::default()
    };
    let rtt = |node: &crate::lab::Node| {
        let network = node.interfaces.first().map_or(0, |one| one.network.at());
        let link = lab
            .networks
            .get(network)
            .map(|network| network.links.default.delay);
        link.unwrap_or_default() * 2
    };
    for node in &lab.nodes {
        let (load, hops) = match &node.program {
            Program::Role(Role::Client(client)) => (&client.load, 1.0),
            Program::Role(Role::Peer(Peer {
                load: Some(load), ..
            })) => (load, 1.0),
            _ => continue,
        };
        let rate = rate(load, rtt(node));
        demand.requests += rate;
        demand.crossings += rate * hops;
    }
    demand.crossings *= hops(lab);
    demand
}

/// Requests per second; of users who wait as many as they could make if answers took nothing but the
/// way.
fn rate(load: &Load, rtt: Duration) -> f64 {
    match &load.arrivals {
        open @ Arrivals::Open { .. } => open.peak().unwrap_or(0.0),
        Arrivals::Closed { users, think, .. } => {
            let each = (*think + rtt).max(Duration::from_millis(1));
            f64::from(*users) / each.as_secs_f64()
        }
    }
}

/// Hops that a request of the first peer takes on the average; 1 where there are no peers.
fn hops(lab: &Lab) -> f64 {
    let peers: Vec<&Peer> = lab
        .nodes
        .iter()
        .filter_map(|node| match &node.program {
            Program::Role(Role::Peer(peer)) => Some(peer),
            _ => None,
        })
        .collect();
    let Some(first) = peers.first() else {
        return 1.0;
    };
    let count = first.peers.len();
    let mut all = 0_usize;
    for owner in 0..count {
        let mut at = first.index as usize;
        // A way that is longer than there are peers does not end.
        for _ in 0..count {
            if at == owner {
                break;
            }
            let next = peers
                .get(at)
                .and_then(|peer| peer.next_hop.get(owner).copied().flatten());
            // Of a neighbour the next hop is itself.
            let Some(next) = next else { break };
            at = next as usize;
            all += 1;
        }
    }
    (all as f64 / count.max(1) as f64).max(0.01)
}

/// What a lab needs, line by line.
pub fn estimate(demand: &Demand, measured: &Measured, available: &Available) -> Vec<Estimate> {
    vec![
        memory(demand, measured, available),
        fabric(demand, measured),
        processor(demand, measured, available),
        start(demand, measured),
    ]
}

fn line(name: &'static str, fits: bool, needed: String, available: String, cure: &str) -> Estimate {
    let detail = format!("needs {needed} of {available}");
    let check = match fits {
        true => Check::ok(name, detail),
        false => Check::not(name, State::Fail, detail, cure),
    };
    Estimate {
        check,
        needed,
        available,
    }
}

fn memory(demand: &Demand, measured: &Measured, available: &Available) -> Estimate {
    let nodes = (demand.containers - 1) as u64;
    let needed = measured.node_memory * nodes + measured.agent_memory;
    let usable = (available.memory as f64 * SHARE) as u64;
    let most = usable.saturating_sub(measured.agent_memory) / measured.node_memory.max(1);
    let cure = format!("about {most} nodes fit; take fewer, or a machine with more memory");
    let gigabytes = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    line(
        "memory",
        needed <= usable,
        gigabytes(needed),
        gigabytes(usable),
        &cure,
    )
}

fn fabric(demand: &Demand, measured: &Measured) -> Estimate {
    let needed = demand.crossings * measured.packets_per_request;
    // One thread forwards.
    let able = SHARE / measured.packet.as_secs_f64().max(1e-9);
    let cure = format!(
        "about {:.0} requests/s fit; lower `rate` or `users`",
        demand.requests * able / needed.max(1e-9)
    );
    let told = |packets: f64| format!("{packets:.0} packets/s");
    line("fabric", needed <= able, told(needed), told(able), &cure)
}

fn processor(demand: &Demand, measured: &Measured, available: &Available) -> Estimate {
    let packets = demand.crossings * measured.packets_per_request;
    let needed =
        packets * measured.packet.as_secs_f64() + demand.crossings * measured.request.as_secs_f64();
    let usable = available.cores as f64 * SHARE;
    let cure = format!(
        "about {:.0} requests/s fit; lower `rate` or `users`, or take a machine with more cores",
        demand.requests * usable / needed.max(1e-9)
    );
    let told = |cores: f64| format!("{cores:.2} cores");
    line(
        "processor",
        needed <= usable,
        told(needed),
        told(usable),
        &cure,
    )
}

fn start(demand: &Demand, measured: &Measured) -> Estimate {
    let needed = measured.start * (demand.containers - 1) as u32;
    let told = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let mut line = line("start", true, told(needed), told(LONG), "");
    if needed > LONG {
        let cure = "give the agent that much time, or start fewer nodes";
        line.check = Check::not("start", State::Warn, line.check.detail, cure);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            nodes: 3,
            start: Duration::from_millis(50),
            node_memory: 10_000_000,
            agent_memory: 20_000_000,
            packets_per_request: 4.0,
            packet: Duration::from_micros(5),
            request: Duration::from_micros(100),
        }
    }

    fn told(containers: usize, requests: f64) -> String {
        let demand = Demand {
            containers,
            requests,
            crossings: requests,
        };
        let available = Available {
            memory: 8_000_000_000,
            cores: 2,
        };
        let line = |line: Estimate| {
            let Estimate { check, .. } = line;
            format!(
                "{:?} {}: {} {}\n",
                check.state,
                check.name,
                check.detail,
                check.cure.unwrap_or_default()
            )
        };
        estimate(&demand, &measured(), &available)
            .into_iter()
            .map(line)
            .collect()
    }

    #[test]
    fn a_small_lab_fits() {
        let expected = "\
Ok memory: needs 0.12 GB of 6.40 GB \n\
Ok fabric: needs 4000 packets/s of 160000 packets/s \n\
Ok processor: needs 0.12 cores of 1.60 cores \n\
Ok start: needs 0.5 s of 120.0 s \n";
        assert_eq!(told(11, 1000.0), expected);
    }

    #[test]
    fn what_does_not_fit_says_what_would() {
        let expected = "\
Fail memory: needs 90.02 GB of 6.40 GB about 638 nodes fit; take fewer, or a machine with more memory\n\
Fail fabric: needs 200000 packets/s of 160000 packets/s about 40000 requests/s fit; lower `rate` or `users`\n\
Fail processor: needs 6.00 cores of 1.60 cores about 13333 requests/s fit; lower `rate` or `users`, or take a machine with more cores\n\
Warn start: needs 450.0 s of 120.0 s give the agent that much time, or start fewer nodes\n";
        assert_eq!(told(9001, 50_000.0), expected);
    }
}
