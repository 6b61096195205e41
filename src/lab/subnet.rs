//! Subnets: those that the file says, and those of networks that say none; who has which address.
//!
//! Must not know wires or links.

use super::model::{Addresses, Interface, LAB_SUBNET, RESOLVER, Subnet};
use super::networks::{Asked, Places};
use super::roster::Roster;
use crate::id::NetworkIndex;
use crate::spec::{Diagnostic, NetworkSpec, Span, Spanned};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Subnets that may be taken where the file says none: `10.77.0.0/16` to `10.255.0.0/16`.
const SECOND: std::ops::RangeInclusive<u32> = 77..=255;

/// The networks' subnets, in their order; what overlaps is reported.
pub(super) fn subnets(networks: &[NetworkSpec], reports: &mut Vec<Diagnostic>) -> Vec<Subnet> {
    let mut v4: Vec<(Ipv4Addr, u8)> = networks
        .iter()
        .filter_map(|n| Some(n.v4.as_ref()?.value))
        .collect();
    let mut v6: Vec<(Ipv6Addr, u8)> = networks
        .iter()
        .filter_map(|n| Some(n.v6.as_ref()?.value))
        .collect();
    overlaps(networks, reports);
    let mut subnets = Vec::with_capacity(networks.len());
    for (at, network) in (0_u32..).zip(networks) {
        let found = network.v4.as_ref().map(|said| said.value).or_else(|| {
            let free = free_v4(at, &v4);
            v4.extend(free);
            free
        });
        if found.is_none() {
            let message = format!("no subnet is left for the network `{}`", network.name.value);
            reports.push(
                Diagnostic::error("bad-subnet", message)
                    .at(network.name.span, "")
                    .help("networks without `subnet` get one within 10.77.0.0 to 10.255.255.255; say another: `subnet: 192.168.1.0/24`"),
            );
        }
        let said = network.v6.as_ref().map(|said| said.value);
        let (v6_found, v6_prefix) = said.unwrap_or_else(|| {
            let free = free_v6(at, &v6);
            v6.push(free);
            free
        });
        let (v4, v4_prefix) = found.unwrap_or((LAB_SUBNET.v4, LAB_SUBNET.v4_prefix));
        subnets.push(Subnet {
            v4,
            v4_prefix,
            v6: v6_found,
            v6_prefix,
        });
    }
    subnets
}

/// The first of 10.77.0.0/16, 10.78.0.0/16, … from the one with this number on that is free.
fn free_v4(at: u32, taken: &[(Ipv4Addr, u8)]) -> Option<(Ipv4Addr, u8)> {
    let first = SECOND.start() + at;
    let behind = first..=*SECOND.end();
    behind
        .chain(SECOND.take_while(|second| *second < first))
        .map(|second| (Ipv4Addr::new(10, second as u8, 0, 0), LAB_SUBNET.v4_prefix))
        .find(|one| !taken.iter().any(|other| overlap_v4(*other, *one)))
}

/// The first of fd77::/64, fd77:0:0:1::/64, … from the one with this number on that is free; behind
/// fd77::/16, should all of that be taken.
fn free_v6(at: u32, taken: &[(Ipv6Addr, u8)]) -> (Ipv6Addr, u8) {
    let base = |prefix: u16| u128::from(prefix) << 112;
    let inside = (0..2_u128.pow(12)).map(|i| base(0xfd77) + ((u128::from(at) + i) << 64));
    let beyond = (0..128_u16).map(|i| base(0xfd78 + i));
    inside
        .chain(beyond)
        .map(|bits| (Ipv6Addr::from_bits(bits), LAB_SUBNET.v6_prefix))
        .find(|one| !taken.iter().any(|other| overlap_v6(*other, *one)))
        .unwrap_or((LAB_SUBNET.v6, LAB_SUBNET.v6_prefix))
}

fn overlap_v4(a: (Ipv4Addr, u8), b: (Ipv4Addr, u8)) -> bool {
    let rest = 32 - u32::from(a.1.min(b.1));
    (a.0.to_bits() ^ b.0.to_bits()).unbounded_shr(rest) == 0
}

fn overlap_v6(a: (Ipv6Addr, u8), b: (Ipv6Addr, u8)) -> bool {
    let rest = 128 - u32::from(a.1.min(b.1));
    (a.0.to_bits() ^ b.0.to_bits()).unbounded_shr(rest) == 0
}

fn overlaps(networks: &[NetworkSpec], reports: &mut Vec<Diagnostic>) {
    for (at, one) in networks.iter().enumerate() {
        for other in &networks[..at] {
            let v4 = one.v4.as_ref().zip(other.v4.as_ref());
            let v4 = v4.filter(|(a, b)| overlap_v4(a.value, b.value));
            let v6 = one.v6.as_ref().zip(other.v6.as_ref());
            let v6 = v6.filter(|(a, b)| overlap_v6(a.value, b.value));
            let spans = v4.map(|(a, b)| (a.span, b.span));
            let Some((here, there)) = spans.or(v6.map(|(a, b)| (a.span, b.span))) else {
                continue;
            };
            let (name, before) = (&one.name.value, &other.name.value);
            let message = format!("the subnets of `{name}` and `{before}` overlap");
            reports.push(
                Diagnostic::error("bad-subnet", message)
                    .at(here, "")
                    .at(there, format!("of `{before}`")),
            );
        }
    }
}

/// The largest number of a host, for both families: below the broadcast address in IPv4.
fn hosts(subnet: &Subnet) -> (u128, u128) {
    let v4 = (1_u128 << (32 - u32::from(subnet.v4_prefix))) - 2;
    let v6 = u128::MAX.unbounded_shr(u32::from(subnet.v6_prefix));
    (v4, v6)
}

/// Gives the members of a network their addresses: the fixed ones, and in order the free ones.
pub(super) fn assign(
    roster: &Roster<'_>,
    network: NetworkIndex,
    asked: &[Asked],
    places: &mut Places,
    reports: &mut Vec<Diagnostic>,
) {
    let subnet = places.subnets[network.at()];
    let spec = &roster.topology.networks[network.at()];
    let (last_v4, last_v6) = hosts(&subnet);
    let before = reports.len();
    let mut v4 = Family::new(subnet.v4.to_bits().into(), last_v4, last_v4 + 1, spec);
    let mut v6 = Family::new(subnet.v6.to_bits(), last_v6, u128::MAX, spec);
    fix(roster, asked, (&mut v4, &mut v6), reports);
    if reports.len() > before {
        return;
    }
    let mut next = u128::from(RESOLVER) + 1;
    for one in asked {
        let (host_v4, host_v6) = hosts_of(one, &mut v4, &mut v6, &mut next);
        if host_v4 > last_v4 || host_v6 > last_v6 {
            too_small(spec, asked.len(), last_v4.min(last_v6) - 1, reports);
            return;
        }
        places.interfaces[one.node.at()][one.place] = Interface {
            network,
            addresses: Addresses {
                v4: Ipv4Addr::from_bits(subnet.v4.to_bits().wrapping_add(host_v4 as u32)),
                v6: Ipv6Addr::from_bits(subnet.v6.to_bits().wrapping_add(host_v6)),
            },
            fixed: one.v4.is_some() || one.v6.is_some(),
        };
    }
}

/// Notes the fixed addresses.
fn fix(
    roster: &Roster<'_>,
    asked: &[Asked],
    (v4, v6): (&mut Family<'_>, &mut Family<'_>),
    reports: &mut Vec<Diagnostic>,
) {
    for one in asked {
        let name = roster.members[one.node.at()].name.as_str();
        if let Some(said) = &one.v4 {
            v4.fix(
                said,
                said.value.to_bits().into(),
                v4.spec.v4.as_ref().map(|s| s.span),
                name,
                reports,
            );
        }
        if let Some(said) = &one.v6 {
            v6.fix(
                said,
                said.value.to_bits(),
                v6.spec.v6.as_ref().map(|s| s.span),
                name,
                reports,
            );
        }
    }
}

/// The hosts that a member becomes: the fixed ones, else the next one that is free in both families.
fn hosts_of(
    one: &Asked,
    v4: &mut Family<'_>,
    v6: &mut Family<'_>,
    next: &mut u128,
) -> (u128, u128) {
    let fixed_v4 = one.v4.as_ref();
    let fixed_v4 = fixed_v4.map(|said| v4.host(said.value.to_bits().into()));
    let fixed_v6 = one.v6.as_ref();
    let fixed_v6 = fixed_v6.map(|said| v6.host(said.value.to_bits()));
    match (fixed_v4, fixed_v6) {
        (Some(a), Some(b)) => (a, b),
        // The other family takes the same number, so that the two are seen to belong together.
        (Some(a), None) if v6.take(a) => (a, a),
        (None, Some(b)) if v4.take(b) => (b, b),
        (fixed_v4, fixed_v6) => {
            while v4.taken.contains(next) || v6.taken.contains(next) {
                *next += 1;
            }
            let free = *next;
            *next += 1;
            (fixed_v4.unwrap_or(free), fixed_v6.unwrap_or(free))
        }
    }
}

fn too_small(spec: &NetworkSpec, nodes: usize, room: u128, reports: &mut Vec<Diagnostic>) {
    let name = &spec.name.value;
    let message = format!("the network `{name}` has {nodes} nodes and addresses for {room}");
    let said = spec.v4.as_ref().map(|s| s.span);
    let place = said.or(spec.v6.as_ref().map(|s| s.span));
    reports.push(
        Diagnostic::error("bad-subnet", message)
            .at(place.unwrap_or(spec.name.span), "")
            .help("choose a shorter prefix: one bit less is room for twice as many"),
    );
}

/// The addresses of one family in a network, as numbers of hosts.
struct Family<'s> {
    /// The network's address.
    base: u128,
    /// The last host.
    last: u128,
    /// In IPv4, the broadcast address.
    broadcast: u128,
    taken: HashSet<u128>,
    fixed: HashMap<u128, (Span, String)>,
    spec: &'s NetworkSpec,
}

impl Family<'_> {
    fn new(base: u128, last: u128, broadcast: u128, spec: &NetworkSpec) -> Family<'_> {
        Family {
            base,
            last,
            broadcast,
            taken: HashSet::new(),
            fixed: HashMap::new(),
            spec,
        }
    }

    fn host(&self, address: u128) -> u128 {
        address.wrapping_sub(self.base)
    }

    /// Whether this host was free; it no longer is.
    fn take(&mut self, host: u128) -> bool {
        host <= self.last && self.taken.insert(host)
    }

    /// Notes a fixed address, or reports why it cannot be.
    fn fix<A: Display>(
        &mut self,
        said: &Spanned<A>,
        address: u128,
        subnet: Option<Span>,
        node: &str,
        reports: &mut Vec<Diagnostic>,
    ) {
        let host = self.host(address);
        let (written, name) = (&said.value, &self.spec.name.value);
        let wrong = match host {
            0 => format!("`{written}` is the address of the network `{name}` itself"),
            1 => format!("`{written}` is the resolver of the network `{name}`"),
            host if host == self.broadcast => {
                format!("`{written}` is the broadcast address of the network `{name}`")
            }
            host if host > self.last => {
                format!("`{written}` is not in the subnet of the network `{name}`")
            }
            _ => match self.fixed.get(&host) {
                Some((first, other)) => {
                    let message =
                        format!("`{written}` is the address of both `{other}` and `{node}`");
                    reports.push(
                        Diagnostic::error("bad-address", message)
                            .at(said.span, "")
                            .at(*first, "the other"),
                    );
                    return;
                }
                None => {
                    self.taken.insert(host);
                    self.fixed.insert(host, (said.span, node.to_owned()));
                    return;
                }
            },
        };
        reports.push(
            Diagnostic::error("bad-address", wrong)
                .at(said.span, "")
                .at(subnet.unwrap_or(self.spec.name.span), "the network"),
        );
    }
}
