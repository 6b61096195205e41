//! The resolver: DNS messages in, DNS messages out (RFC 1035, 3596, 6891).
//!
//! Owns names and how they are answered. A pure function from bytes to bytes that never panics; it
//! must not know sockets, packets or clocks. Written by hand because a reply is four fixed shapes
//! and because a parser that refuses query types it does not know could not answer them with
//! "no such record"; the tests read every reply with an independent one. When an answer goes out is
//! not its business (`switch/names`).
//!
//! A, AAAA and ANY of node, role and group names (letters in any case); PTR of every address; other
//! types of known names have no records (NOERROR), nor have names above those of addresses; other names do not exist
//! (NXDOMAIN, at once). A
//! group answers with all its addresses, from a start that changes with every query; those in the
//! asker's networks come before all others. Where they do
//! not fit, as many as fit and without the truncation mark, because the resolver does not speak TCP
//! and the changing start shows every address sooner or later.

use super::config::{Answers, InterfaceConfig, NodeConfig};
use crate::fault::ResolverFailure;
use crate::id::{NetworkIndex, NodeIndex};
use netlab_protocol::draw;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

const HEADER: usize = 12;
/// Largest reply without and with EDNS (the latter is the DNS flag day's 1232).
const PLAIN: usize = 512;
const EDNS: usize = 1232;
/// Seconds an answer may be cached: not at all, names can fail.
const TTL: u32 = 0;

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const OPT: u16 = 41;
const ANY: u16 = 255;

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;
/// Upper bits of code 16.
const BADVERS: u8 = 1;

/// All names of a lab.
pub(super) struct Resolver {
    seed: u64,
    nodes: Vec<(String, Vec<InterfaceConfig>)>,
    names: HashMap<String, Vec<usize>>,
    owners: HashMap<IpAddr, usize>,
    /// Names below which there are others, and that are none themselves.
    above: BTreeSet<String>,
}

struct Question {
    /// Lower case, labels joined by dots, no dot at the end.
    name: String,
    kind: u16,
    class: u16,
    /// Where the question ends in the message.
    end: usize,
}

impl Resolver {
    /// A node answers to its own name even where `names` leaves it out.
    pub(super) fn new(
        seed: u64,
        nodes: &[NodeConfig],
        names: &BTreeMap<String, Vec<NodeIndex>>,
    ) -> Resolver {
        let mut known = HashMap::new();
        for (i, node) in nodes.iter().enumerate() {
            known.insert(node.name.to_ascii_lowercase(), vec![i]);
        }
        for (name, members) in names {
            let members = members.iter().map(|n| n.at()).filter(|&n| n < nodes.len());
            known.insert(name.to_ascii_lowercase(), members.collect());
        }
        let addresses = nodes
            .iter()
            .enumerate()
            .flat_map(|(i, n)| n.interfaces.iter().map(move |at| (at, i)))
            .flat_map(|(at, i)| [(IpAddr::V4(at.v4), i), (IpAddr::V6(at.v6), i)]);
        let owners: HashMap<_, _> = addresses.collect();
        Resolver {
            seed,
            above: owners.keys().flat_map(|address| above(*address)).collect(),
            owners,
            nodes: nodes
                .iter()
                .map(|n| (n.name.clone(), n.interfaces.clone()))
                .collect(),
            names: known,
        }
    }

    /// The reply to `query`; `None` for what is no query, and for silence. `turn` counts the
    /// queries; `near` says which networks the asker is in.
    pub(super) fn answer(
        &self,
        query: &[u8],
        turn: u64,
        near: impl Fn(NetworkIndex) -> bool,
        answers: Answers,
    ) -> Option<Vec<u8>> {
        let header: &[u8; HEADER] = query.first_chunk()?;
        if header[2] & 0x80 != 0 {
            return None; // a response: answering it could go on for ever
        }
        if answers == Answers::Silence {
            return None; // whatever is asked
        }
        if header[2] & 0x78 != 0 {
            return Some(reply(query, None, NOTIMP));
        }
        let Some(question) = question(query) else {
            return Some(reply(query, None, FORMERR));
        };
        let Ok(edns) = edns(query, question.end) else {
            return Some(reply(query, None, FORMERR));
        };
        if let Some(Edns { version: 1.., .. }) = edns {
            let mut bytes = reply(query, Some(&question), NOERROR);
            push_opt(&mut bytes, BADVERS);
            return Some(bytes);
        }
        if question.class != 1 && question.class != ANY {
            return Some(reply(query, Some(&question), REFUSED));
        }
        let (code, records) = match answers {
            Answers::Right => self.records(&question, turn, near),
            Answers::Lies => self.lies(&question, near),
            Answers::Failure(ResolverFailure::ServFail) => (SERVFAIL, Vec::new()),
            Answers::Failure(ResolverFailure::NxDomain) => (NXDOMAIN, Vec::new()),
            Answers::Silence => return None,
        };
        let room = edns.map_or(PLAIN, |edns| edns.size.clamp(PLAIN, EDNS) - OPT_LENGTH);
        let mut bytes = reply(query, Some(&question), code);
        let mut count = 0_u16;
        for (kind, data) in records {
            if bytes.len() + 12 + data.len() > room {
                break;
            }
            push_record(&mut bytes, kind, &data);
            count += 1;
        }
        bytes[6..8].copy_from_slice(&count.to_be_bytes());
        if edns.is_some() {
            push_opt(&mut bytes, 0);
        }
        Some(bytes)
    }

    /// Response code and records (type, data) for a question.
    fn records(
        &self,
        question: &Question,
        turn: u64,
        near: impl Fn(NetworkIndex) -> bool,
    ) -> (u8, Vec<(u16, Vec<u8>)>) {
        if let Some(members) = self.names.get(&question.name) {
            let start = draw::below(self.seed, &[turn], members.len() as u64) as usize;
            let (tail, head) = members.split_at(start);
            let places = head.iter().chain(tail);
            let mut places: Vec<_> = places.flat_map(|&i| &self.nodes[i].1).collect();
            places.sort_by_key(|place| !near(place.network)); // a stable sort
            return (NOERROR, addresses(question.kind, &places));
        }
        match reverse(&question.name).and_then(|a| self.owners.get(&a)) {
            Some(&owner) => (NOERROR, self.pointer(question.kind, owner)),
            None => self.nothing(question),
        }
    }

    /// No records: the name does not exist, or only others below it do (RFC 8020).
    fn nothing(&self, question: &Question) -> (u8, Vec<(u16, Vec<u8>)>) {
        match self.above.contains(&question.name) {
            true => (NOERROR, Vec::new()),
            false => (NXDOMAIN, Vec::new()),
        }
    }

    /// The same, with a node for which the name does not stand.
    fn lies(
        &self,
        question: &Question,
        near: impl Fn(NetworkIndex) -> bool,
    ) -> (u8, Vec<(u16, Vec<u8>)>) {
        let owner = || reverse(&question.name).and_then(|a| self.owners.get(&a));
        let (meant, is_name) = match self.names.get(&question.name) {
            Some(members) => (members.as_slice(), true),
            None => match owner() {
                Some(owner) => (std::slice::from_ref(owner), false),
                None => return self.nothing(question),
            },
        };
        let is_near = |i: &usize| self.nodes[*i].1.iter().any(|place| near(place.network));
        let mut others: Vec<usize> = (0..self.nodes.len()).collect();
        others.retain(|i| !meant.contains(i));
        if others.iter().any(is_near) {
            others.retain(is_near);
        }
        let name = draw::name(&question.name);
        let pick = draw::below(self.seed, &[name], others.len() as u64) as usize;
        let Some(&other) = others.get(pick) else {
            return (NOERROR, Vec::new());
        };
        if !is_name {
            return (NOERROR, self.pointer(question.kind, other));
        }
        let places = &self.nodes[other].1;
        let place = places.iter().find(|place| near(place.network));
        let place: Vec<_> = place.or(places.first()).into_iter().collect();
        (NOERROR, addresses(question.kind, &place))
    }

    /// The record with the name of a node.
    fn pointer(&self, kind: u16, node: usize) -> Vec<(u16, Vec<u8>)> {
        if kind != PTR && kind != ANY {
            return Vec::new();
        }
        let name = &self.nodes[node].0;
        let mut data = vec![name.len() as u8];
        data.extend(name.bytes());
        data.push(0);
        vec![(PTR, data)]
    }
}

/// The records of this kind for places.
fn addresses(kind: u16, places: &[&InterfaceConfig]) -> Vec<(u16, Vec<u8>)> {
    let (v4, v6) = (matches!(kind, A | ANY), matches!(kind, AAAA | ANY));
    let mut records = Vec::new();
    for place in places {
        records.extend(v4.then(|| (A, place.v4.octets().to_vec())));
        records.extend(v6.then(|| (AAAA, place.v6.octets().to_vec())));
    }
    records
}

/// Length of our OPT record.
const OPT_LENGTH: usize = 11;

/// Adds our OPT record: root name, type OPT, our size, the upper bits of the response code, version 0, no
/// options (RFC 6891 §6.1.2).
fn push_opt(bytes: &mut Vec<u8>, upper_code: u8) {
    bytes[11] = 1;
    bytes.push(0);
    bytes.extend(OPT.to_be_bytes());
    bytes.extend((EDNS as u16).to_be_bytes());
    bytes.extend([upper_code, 0, 0, 0, 0, 0]);
}

/// Header and question of the reply: authoritative, recursion "available" so that stubs are content.
fn reply(query: &[u8], question: Option<&Question>, code: u8) -> Vec<u8> {
    let end = question.map_or(HEADER, |q| q.end);
    let mut bytes = query.get(..end).unwrap_or_default().to_vec();
    bytes.resize(bytes.len().max(HEADER), 0);
    bytes[2] = 0x84 | (bytes[2] & 0x79);
    bytes[3] = 0x80 | code;
    bytes[4..HEADER].fill(0);
    bytes[5] = u8::from(question.is_some());
    bytes
}

/// A record for the name in the question (a pointer to offset 12).
fn push_record(bytes: &mut Vec<u8>, kind: u16, data: &[u8]) {
    bytes.extend([0xc0, HEADER as u8]);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(TTL.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
}

/// The only question of a query; `None` when there is not exactly one, or it is broken.
fn question(query: &[u8]) -> Option<Question> {
    let word = |at: usize| Some(u16::from_be_bytes(*query.get(at..)?.first_chunk()?));
    if word(4)? != 1 {
        return None;
    }
    let (mut at, mut name) = (HEADER, String::new());
    loop {
        let length = usize::from(*query.get(at)?);
        if length > 63 || at - HEADER + length > 254 {
            return None; // a pointer, which a first name cannot have, or too long
        }
        if length == 0 {
            break;
        }
        let label = query.get(at + 1..at + 1 + length)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
        at += 1 + length;
    }
    Some(Question {
        name,
        kind: word(at + 1)?,
        class: word(at + 3)?,
        end: at + 5,
    })
}

/// What a client with EDNS says of itself.
#[derive(Clone, Copy)]
struct Edns {
    /// Largest reply that it takes.
    size: usize,
    version: u8,
}

/// More than one OPT record, or records that are none.
struct Broken;

/// The OPT record among those after the question (RFC 6891 §6.1.1), which ends `at`.
fn edns(query: &[u8], mut at: usize) -> Result<Option<Edns>, Broken> {
    let word = |at: usize| {
        let bytes = query.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map(|bytes| u16::from_be_bytes(*bytes)).ok_or(Broken)
    };
    let count = [6, 8, 10].map(|at| word(at).map_or(0, u32::from));
    let mut found = None;
    for _ in 0..count.iter().sum() {
        let name = at;
        at = after_name(query, at).ok_or(Broken)?;
        if word(at)? == OPT {
            let edns = Edns {
                size: usize::from(word(at + 2)?),
                version: (word(at + 4)? & 0xff) as u8,
            };
            if at > name + 1 || found.replace(edns).is_some() {
                return Err(Broken);
            }
        }
        at += 10 + usize::from(word(at + 8)?);
        if at > query.len() {
            return Err(Broken);
        }
    }
    Ok(found)
}

/// Where a name ends; a pointer ends it.
fn after_name(query: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*query.get(at)?) {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + length,
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// All names above that of an address, the root included.
fn above(address: IpAddr) -> impl Iterator<Item = String> {
    let (mut labels, zone): (Vec<String>, _) = match address {
        IpAddr::V4(v4) => (
            v4.octets().map(|octet| octet.to_string()).to_vec(),
            "in-addr",
        ),
        IpAddr::V6(v6) => {
            let nibbles = format!("{:032x}", v6.to_bits());
            (nibbles.chars().map(String::from).collect(), "ip6")
        }
    };
    labels.splice(0..0, ["arpa".to_owned(), zone.to_owned()]);
    (0..labels.len()).map(move |count| {
        let name: Vec<&str> = labels[..count].iter().rev().map(String::as_str).collect();
        name.join(".")
    })
}

/// The address in a name below in-addr.arpa or ip6.arpa.
fn reverse(name: &str) -> Option<IpAddr> {
    if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
        let text: Vec<&str> = octets.rsplit('.').collect();
        return text.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let nibbles: Vec<&str> = name.strip_suffix(".ip6.arpa")?.rsplit('.').collect();
    let single = nibbles.len() == 32 && nibbles.iter().all(|n| n.len() == 1);
    let bits = u128::from_str_radix(&nibbles.concat(), 16).ok()?;
    single.then_some(IpAddr::V6(bits.into()))
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
