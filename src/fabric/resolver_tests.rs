//! The resolver against an independent reader of DNS messages.

use super::*;
use proptest::prelude::*;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question as Asked, RCODE, TYPE};
use std::net::Ipv6Addr;

fn node(i: u32) -> NodeConfig {
    NodeConfig {
        name: format!("peer-{i}"),
        forward: false,
        interfaces: vec![InterfaceConfig {
            network: NetworkIndex(0),
            v4: Ipv4Addr::from(0x0a4d_0002 + i),
            v6: Ipv6Addr::from((0xfd77 << 112) + 2 + u128::from(i)),
        }],
        uplink: None,
        downlink: None,
    }
}

fn resolver(peers: u32) -> Resolver {
    let nodes: Vec<_> = (0..peers).map(node).collect();
    let all = (0..peers).map(NodeIndex).collect();
    Resolver::new(7, &nodes, &BTreeMap::from([("peer".to_owned(), all)]))
}

fn query(name: &str, kind: TYPE, size: Option<u16>) -> Vec<u8> {
    let mut packet = Packet::new_query(77);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new_unchecked(name);
    let asked = Asked::new(name, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(asked);
    *packet.opt_mut() = size.map(|udp_packet_size| simple_dns::rdata::OPT {
        opt_codes: Vec::new(),
        udp_packet_size,
        version: 0,
    });
    packet.build_bytes_vec().unwrap()
}

fn answer(r: &Resolver, query: &[u8], turn: u64) -> Option<Vec<u8>> {
    r.answer(query, turn, |_| true, Answers::Right)
}

fn asked(r: &Resolver, name: &str, kind: TYPE) -> (RCODE, Vec<String>) {
    asked_in(r, name, kind, Answers::Right)
}

fn asked_in(r: &Resolver, name: &str, kind: TYPE, manner: Answers) -> (RCODE, Vec<String>) {
    let query = query(name, kind, None);
    let bytes = r.answer(&query, 1, |_| true, manner).unwrap();
    let reply = Packet::parse(&bytes).unwrap();
    assert_eq!(reply.id(), 77);
    assert!(reply.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_DESIRED));
    assert_eq!(reply.questions.len(), 1);
    let text = |data: &RData| match data {
        RData::A(a) => Ipv4Addr::from(a.address).to_string(),
        RData::AAAA(a) => Ipv6Addr::from(a.address).to_string(),
        RData::PTR(name) => name.to_string(),
        other => format!("{other:?}"),
    };
    let records = reply.answers.iter().map(|r| text(&r.rdata)).collect();
    (reply.rcode(), records)
}

fn found(text: &str) -> (RCODE, Vec<String>) {
    (RCODE::NoError, vec![text.to_owned()])
}

#[test]
fn names_and_addresses() {
    let r = resolver(3);
    assert_eq!(asked(&r, "peer-1", TYPE::A), found("10.77.0.3"));
    assert_eq!(asked(&r, "PEER-1", TYPE::AAAA), found("fd77::3"));
    let reverse = "3.0.77.10.in-addr.arpa";
    assert_eq!(asked(&r, reverse, TYPE::PTR), found("peer-1"));
    let nibbles = format!("3.{}7.7.d.f.ip6.arpa", "0.".repeat(27));
    assert_eq!(asked(&r, &nibbles, TYPE::PTR), found("peer-1"));
}

#[test]
fn what_there_is_not() {
    let r = resolver(3);
    assert_eq!(asked(&r, "peer-1", TYPE::MX), (RCODE::NoError, vec![]));
    for name in [
        "peer-9",
        "example.org",
        "peer-1.example.org",
        "9.0.77.10.in-addr.arpa",
    ] {
        assert_eq!(
            asked(&r, name, TYPE::A),
            (RCODE::NameError, vec![]),
            "{name}"
        );
    }
    let nibbles = format!("{}7.7.d.f.ip6.arpa", "0.".repeat(27));
    let above = [
        ".",
        "arpa",
        "in-addr.arpa",
        "77.10.in-addr.arpa",
        "0.77.10.in-addr.arpa",
    ];
    for name in above.into_iter().chain(["ip6.arpa", &nibbles]) {
        let nothing = (RCODE::NoError, vec![]);
        assert_eq!(
            asked(&r, name, TYPE::PTR),
            nothing,
            "{name} has names below it"
        );
    }
    assert_eq!(
        asked(&r, "78.10.in-addr.arpa", TYPE::PTR).0,
        RCODE::NameError
    );
    // Type 65280 is private use (RFC 6895): known name, no record.
    let mut unknown = query("peer-1", TYPE::A, None);
    let at = unknown.len() - 4;
    unknown[at] = 0xff;
    let reply = answer(&r, &unknown, 1).unwrap();
    assert_eq!((reply[3] & 15, reply[7]), (NOERROR, 0));
}

#[test]
fn a_group_is_all_its_members_from_a_changing_start() {
    let r = resolver(8);
    let (_, mut all) = asked(&r, "peer", TYPE::A);
    assert_eq!(all.len(), 8);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
    let first = |turn| {
        let bytes = answer(&r, &query("peer", TYPE::A, None), turn).unwrap();
        bytes[bytes.len() - 8 * 16 + 15]
    };
    let starts: std::collections::BTreeSet<u8> = (0..200).map(first).collect();
    assert_eq!(starts.len(), 8, "every member leads sometimes");
}

#[test]
fn large_groups_are_cut_to_the_size_the_client_takes() {
    let r = resolver(500);
    for (size, limit) in [
        (None, 512),
        (Some(1232), 1232),
        (Some(9000), 1232),
        (Some(100), 512),
    ] {
        let bytes = answer(&r, &query("peer", TYPE::AAAA, size), 1).unwrap();
        assert!(
            bytes.len() <= limit && bytes.len() + 28 > limit,
            "{}",
            bytes.len()
        );
        let reply = Packet::parse(&bytes).unwrap();
        assert!(!reply.has_flags(PacketFlag::TRUNCATION));
        assert_eq!(reply.opt().is_some(), size.is_some());
        assert!(reply.answers.len() > 15);
    }
}

#[test]
fn broken_queries() {
    let r = resolver(2);
    let good = query("peer-1", TYPE::A, None);
    assert_eq!(answer(&r, &good[..11], 0), None);
    let code = |bytes: &[u8]| answer(&r, bytes, 0).map(|b| b[3] & 15);
    assert_eq!(code(&good[..good.len() - 1]), Some(FORMERR));
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(code(&with(5, 2)), Some(FORMERR), "two questions");
    assert_eq!(code(&with(12, 0xc0)), Some(FORMERR), "a pointer");
    assert_eq!(code(&with(2, 0x28)), Some(NOTIMP), "an update");
    assert_eq!(code(&with(good.len() - 1, 3)), Some(REFUSED), "class CH");
    assert_eq!(code(&with(2, 0x80)), None, "a response");
    for bytes in [&good, &with(5, 2), &with(2, 0x28), &with(good.len() - 1, 3)] {
        let silent = r.answer(bytes, 0, |_| true, Answers::Silence);
        assert_eq!(silent, None, "whatever is asked");
    }
}

/// RFC 6891, §6.1.1 and §6.1.3.
#[test]
fn what_clients_say_of_themselves() {
    let r = resolver(2);
    let good = query("peer-1", TYPE::A, Some(1232));
    let opt = good[good.len() - 11..].to_vec();
    let plain = query("peer-1", TYPE::A, None);
    let with = |records: &[&[u8]]| {
        let mut bytes = [plain.as_slice(), &records.concat()].concat();
        bytes[11] = records.len() as u8;
        bytes
    };
    assert_eq!(with(&[&opt]), good);
    let said = |bytes: &[u8]| {
        let reply = answer(&r, bytes, 0).unwrap();
        let parsed = Packet::parse(&reply).unwrap();
        (parsed.rcode(), parsed.answers.len(), parsed.opt().is_some())
    };
    assert_eq!(said(&good), (RCODE::NoError, 1, true));
    let mut newer = opt.clone();
    newer[6] = 1; // after root name, type, size and upper bits of the code
    // The independent reader does not put the two parts of the code together.
    let reply = answer(&r, &with(&[&newer]), 0).unwrap();
    let upper = reply[reply.len() - 6];
    assert_eq!((upper << 4) | (reply[3] & 15), 16, "BADVERS");
    assert_eq!(said(&with(&[&newer])), (RCODE::NoError, 0, true));
    assert_eq!(said(&with(&[&opt, &opt])), (RCODE::FormatError, 0, false));
    // A record of another type before it, with a name and with a pointer, does not hide it.
    let padding = b"\x01x\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x01y";
    let pointed = b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x00\x00\x00";
    for record in [padding.as_slice(), pointed] {
        assert_eq!(said(&with(&[record, &opt])), (RCODE::NoError, 1, true));
    }
    let mut named = vec![1, b'x'];
    named.extend(&opt);
    assert_eq!(said(&with(&[&named])), (RCODE::FormatError, 0, false));
    for cut in 1..opt.len() {
        let short = with(&[&opt[..cut]]);
        assert_eq!(said(&short), (RCODE::FormatError, 0, false), "{cut}");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), turn: u64) {
        let r = resolver(3);
        let _ = answer(&r, &bytes, turn);
        let mut query = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(&bytes);
        let reply = answer(&r, &query, turn).unwrap();
        prop_assert!(reply.len() <= EDNS);
    }
}

#[test]
fn addresses_in_the_networks_of_the_asker_come_first() {
    let mut nodes = vec![node(0), node(1)];
    for (at, node) in nodes.iter_mut().enumerate() {
        let mut second = node.interfaces[0];
        second.network = NetworkIndex(1);
        second.v4 = Ipv4Addr::new(10, 78, 0, at as u8 + 2);
        second.v6 = Ipv6Addr::from((0xfd78 << 112) + 2 + at as u128);
        node.interfaces.push(second);
    }
    let group = BTreeMap::from([("peer".to_owned(), vec![NodeIndex(0), NodeIndex(1)])]);
    let r = Resolver::new(7, &nodes, &group);
    for (near, first) in [(0, [10, 77]), (1, [10, 78])] {
        for turn in 0..8 {
            let near = |network| network == NetworkIndex(near);
            let query = query("peer", TYPE::A, None);
            let bytes = r.answer(&query, turn, near, Answers::Right).unwrap();
            let reply = Packet::parse(&bytes).unwrap();
            let four = |data: &RData| match data {
                RData::A(a) => a.address.to_be_bytes(),
                other => panic!("{other:?}"),
            };
            let all: Vec<_> = reply.answers.iter().map(|r| four(&r.rdata)).collect();
            assert_eq!(all.len(), 4);
            assert_eq!([all[0][..2].to_vec(), all[1][..2].to_vec()], [first, first]);
        }
    }
    assert_eq!(
        asked(&r, "2.0.78.10.in-addr.arpa", TYPE::PTR),
        found("peer-0")
    );
}

#[test]
fn lies_are_of_the_right_kind_and_never_true() {
    let r = resolver(3);
    let lie = |name: &str, kind| asked_in(&r, name, kind, Answers::Lies);
    for i in 0..3 {
        let (code, four) = lie(&format!("peer-{i}"), TYPE::A);
        assert_eq!((code, four.len()), (RCODE::NoError, 1));
        let (_, six) = lie(&format!("peer-{i}"), TYPE::AAAA);
        assert_eq!(
            four[0].rsplit('.').next(),
            six[0].rsplit(':').next(),
            "one node"
        );
        assert_ne!(four[0], format!("10.77.0.{}", i + 2));
        let reverse = format!("{}.0.77.10.in-addr.arpa", i + 2);
        let (_, name) = lie(&reverse, TYPE::PTR);
        assert!(name[0].starts_with("peer-") && name[0] != format!("peer-{i}"));
        assert_eq!(lie(&reverse, TYPE::A), (RCODE::NoError, vec![]));
    }
    assert_eq!(lie("peer", TYPE::A), (RCODE::NoError, vec![]), "everyone");
    assert_eq!(lie("peer-1", TYPE::MX), (RCODE::NoError, vec![]));
    assert_eq!(lie("peer-9", TYPE::A), (RCODE::NameError, vec![]));
}
