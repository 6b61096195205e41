//! Who is to forget an mtu, without a kernel that would remember.

use super::super::tests::*;
use super::*;
use crate::fabric::{LinkChange, NetworkConfig, Wires};
use crate::link::LinkMtu;

const MS_5: u64 = 5 * MS;

fn narrow(usual: LinkProperties, bytes: Option<u32>) -> LinkProperties {
    let mtu = bytes.map(|bytes| LinkMtu {
        bytes,
        black_hole: false,
    });
    LinkProperties { mtu, ..usual }
}

fn change(s: &mut Switch, from: NodeIndex, to: NodeIndex, bytes: Option<u32>) -> Vec<NodeIndex> {
    let change = LinkChange {
        network: NETWORK,
        from,
        to,
        properties: narrow(config(None).networks[0].default_link, bytes),
        down: false,
    };
    s.change(&[change]).unwrap().into_iter().collect()
}

fn large(from: NodeIndex, to: NodeIndex) -> Vec<u8> {
    packet::udp((four(from), 4000), (four(to), 4000), &[0; 1400]).unwrap()
}

#[test]
fn those_who_were_told_forget_when_the_link_is_wider() {
    let mut s = switch();
    assert_eq!(change(&mut s, A, B, Some(1200)), []);
    send(&mut s, C, &large(C, B), 0);
    assert_eq!(change(&mut s, A, B, Some(1300)), [], "nobody was told");
    assert!(send(&mut s, A, &large(A, B), 0).is_some(), "told");
    assert_eq!(change(&mut s, A, B, Some(1200)), [], "narrower");
    assert_eq!(change(&mut s, A, B, Some(1201)), [A], "wider");
    assert_eq!(change(&mut s, A, B, None), [], "it was forgotten");
    change(&mut s, A, B, Some(1200));
    send(&mut s, A, &large(A, B), 0);
    assert_eq!(change(&mut s, A, B, None), [A]);
}

/// A - B - C with a narrow second link: B tells A, and what it said and is still on its way when
/// the link is wider is not delivered.
#[test]
fn an_error_from_a_hop_that_comes_too_late_is_dropped() {
    let line = |config: &mut NetworkConfig| config.wires = Wires::Edges(vec![(A, B), (B, C)]);
    for healed in [false, true] {
        let mut config = config(None);
        line(&mut config.networks[0]);
        let mut s = Switch::new(config).unwrap();
        s.set_alive(port(B), true);
        change(&mut s, B, C, Some(1200));
        send(&mut s, A, &large(A, C), 0);
        assert_eq!(departures(&mut s, MS_5), []);
        if healed {
            assert_eq!(change(&mut s, B, C, None), [A]);
        }
        let back = departures(&mut s, 2 * MS_5);
        assert_eq!(back.len(), usize::from(!healed), "{back:?}");
    }
}

#[test]
fn a_reconfiguration_widens_links_too() {
    let mut s = switch();
    change(&mut s, A, B, Some(1200));
    change(&mut s, C, B, Some(1200));
    send(&mut s, A, &large(A, B), 0);
    send(&mut s, C, &large(C, B), 0);
    // C is node 0 now, B node 1, and A is gone; the link of C stays narrow.
    let mut next = config(None);
    next.nodes.swap(0, 2);
    next.nodes.truncate(2);
    let usual = next.networks[0].default_link;
    let link = (NodeIndex(0), NodeIndex(1), narrow(usual, Some(1200)));
    next.networks[0].links.push(link);
    let same = next.clone();
    let (_, told) = s
        .reconfigure(Switch::new(next).unwrap(), &[Some(C), Some(B)], 0)
        .unwrap();
    assert!(told.is_empty(), "{told:?}");
    let mut wide = same;
    wide.networks[0].links.clear();
    let both = [Some(NodeIndex(0)), Some(NodeIndex(1))];
    let (_, told) = s.reconfigure(Switch::new(wide).unwrap(), &both, 0).unwrap();
    assert_eq!(told.into_iter().collect::<Vec<_>>(), [NodeIndex(0)]);
}
