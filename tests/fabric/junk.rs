//! A node that writes anything into its device, as fast as it can.

use super::lab::*;
use super::noise::rates;
use netlab::fabric::{Fabric, PortCounters};
use netlab::id::NodeIndex;
use netlab::link::LinkProperties;

/// The share that is left, by medians; what is junk was counted as that, and nowhere else.
fn compare() -> f64 {
    let (fabric, [a, b, c]) = lab(3, LinkProperties::default());
    let (other, [_x, _y, _z]) = lab(3, LinkProperties::default());
    let apart = Namespace::new();
    let _unread = apart.wire(C);
    let [with, without] = rates(7, [&a, &b, &c], &apart).map(|rates| rates[rates.len() / 2]);
    println!("beside junk {with:.0} packets a second, beside junk that nobody reads {without:.0}");
    let kinds: [fn(&PortCounters) -> u64; 3] = [|c| c.malformed, |c| c.spoofed, |c| c.unroutable];
    for what in kinds {
        let at =
            |fabric: &Fabric, node: NodeIndex| what(&fabric.port_counters().unwrap()[node.at()]);
        assert!(at(&fabric, C) > 0, "junk of every kind was read");
        assert_eq!(at(&fabric, A) + at(&fabric, B), 0);
        assert_eq!(at(&other, A) + at(&other, B) + at(&other, C), 0);
    }
    assert_eq!(
        other.counters().unwrap(),
        [],
        "another lab has nothing of it"
    );
    let rests = fabric.port_counters().unwrap();
    let rests = [A, B, C].map(|node| rests[node.at()].rests);
    // Their kernels' own chatter is none of the fabric's business either, and may cost a moment.
    assert!(rests[2] > 10 + 10 * (rests[0] + rests[1]), "{rests:?}");
    let drops = fabric.undeclared_drops().unwrap();
    assert_eq!((drops[0].1, drops[1].1), (0, 0), "{drops:?}");
    fabric.stop().unwrap();
    for namespace in [&a, &b, &c] {
        let gone = || !std::path::Path::new("/proc/sys/net/ipv4/conf/eth0").exists();
        eventually("the devices went with the fabric", || namespace.run(gone));
    }
    with / without
}

/// Less than a tenth is the budget, which `cargo bench --bench fabric -- junk` holds it against. The bound is
/// where a host on which others work as well does not reach it by chance, and where a node that got as many
/// turns as it has frames would be.
#[test]
fn junk_neither_stops_the_fabric_nor_takes_the_others_turn() {
    if !able() {
        return;
    }
    let best = (0..3).map(|_| compare()).find(|share| *share > 0.5);
    assert!(
        best.is_some(),
        "three times less than half of the packet rate is left"
    );
}
