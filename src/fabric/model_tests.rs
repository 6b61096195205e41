//! The link model without packets: lengths, flows and times in, fates out.

use super::*;
use crate::link::{Distribution, GilbertElliott, Reorder, TraceIndex};
use crate::units::{BitRate, ByteSize, Ratio};
use proptest::prelude::*;
use std::time::Duration;

const LINK: u64 = 1;
const MS: u64 = 1_000_000;
const LOST: Verdict = Verdict::Dropped(Cause::Loss);

fn link(change: impl Fn(&mut LinkProperties)) -> Link {
    Link::new(7, LINK, with(change), &[])
}

fn with(change: impl Fn(&mut LinkProperties)) -> LinkProperties {
    let mut properties = LinkProperties::default();
    change(&mut properties);
    properties
}

fn lossy() -> Link {
    link(|p| p.loss = Ratio(0.01))
}

/// Fates of the first `n` packets of `flow`, all entering at 0 with 100 bytes.
fn fates(link: &mut Link, flow: u64, n: u64) -> Vec<Fate> {
    let mut seen = Seen::default();
    (0..n).map(|_| link.pass(0, 100, flow, &mut seen)).collect()
}

/// Which of the first `n` packets fulfil `is`.
fn which(link: &mut Link, n: u64, is: impl Fn(&Fate) -> bool) -> Vec<u64> {
    let all = fates(link, 1, n).into_iter().zip(0..);
    all.filter(|(f, _)| is(f)).map(|(_, i)| i).collect()
}

fn lost(link: &mut Link, flow: u64, n: u64) -> Vec<u64> {
    let all = fates(link, flow, n).into_iter().zip(0..);
    all.filter(|(f, _)| f.first == LOST)
        .map(|(_, i)| i)
        .collect()
}

fn time(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Deliver(arrival) => arrival.at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn delay_is_exact_and_down_drops_everything() {
    let properties = with(|p| p.delay = Duration::from_millis(5));
    let mut link = Link::new(7, LINK, properties, &[]);
    let mut seen = Seen::default();
    let mut fate = |l: &mut Link| l.pass(100, 1500, 1, &mut seen).first;
    assert_eq!(fate(&mut link), Verdict::deliver(100 + 5 * MS));
    link.change(properties, true, &[]);
    assert!((1..100).all(|_| fate(&mut link) == Verdict::Dropped(Cause::Down)));
    link.change(properties, false, &[]);
    assert_eq!(fate(&mut link), Verdict::deliver(100 + 5 * MS));
    let declared = LinkProperties {
        down: true,
        ..properties
    };
    link.change(declared, false, &[]);
    assert_eq!(fate(&mut link), Verdict::Dropped(Cause::Down));
    assert!(link.is_down() && !link.is_held_down());
    assert_eq!(seen.index, 102, "what meets silence counts as well");
}

/// 99 % of binomial(10^5, 0.01) lie within np ± 2.576 √(np(1−p)) = 1000 ± 81.
#[test]
fn loss_is_as_declared_and_repeats() {
    let first = lost(&mut lossy(), 1, 100_000);
    assert!(first.len().abs_diff(1000) <= 81, "{}", first.len());
    assert_eq!(
        first,
        lost(&mut lossy(), 1, 100_000),
        "same seed, same packets"
    );
    assert_ne!(first, lost(&mut lossy(), 2, 100_000), "flows differ");
    let mut other = Link::new(8, LINK, with(|p| p.loss = Ratio(0.01)), &[]);
    assert_ne!(first, lost(&mut other, 1, 100_000), "seeds differ");
}

#[test]
fn a_change_of_delay_does_not_move_losses_but_one_of_loss_draws_anew() {
    let before = lost(&mut lossy(), 1, 10_000);
    let mut link = lossy();
    let slower = with(|p| {
        p.loss = Ratio(0.01);
        p.delay = Duration::from_millis(80);
        p.rate = Some(BitRate(u64::MAX));
        p.duplicate = Ratio(0.5);
        p.corrupt = Ratio(0.5);
    });
    link.change(slower, false, &[]);
    assert_eq!(before, lost(&mut link, 1, 10_000));
    let more = LinkProperties {
        loss: Ratio(0.5),
        ..slower
    };
    link.change(more, false, &[]);
    link.change(slower, false, &[]);
    assert_ne!(before, lost(&mut link, 1, 10_000));
}

/// Saturated for ten simulated seconds: 2 % of the declared rate is the budget, the model is exact.
#[test]
fn rate_is_exact_over_time() {
    for rate in [1_000_000_u64, 33_333_333, 1_000_000_000] {
        let mut link = link(|p| p.rate = Some(BitRate(rate)));
        let (mut now, mut sent, end) = (0, 0, 10_000 * MS);
        let mut seen = Seen::default();
        loop {
            match link.pass(now, 1000, 1, &mut seen).first {
                Verdict::Deliver(arrival) if arrival.at > end => break,
                Verdict::Deliver(_) => sent += 8000_u64,
                _ => now += 1000 * 8 * 1_000_000_000 / rate + 1,
            }
        }
        let got = sent as f64 / 10.0 / rate as f64;
        assert!((0.999..=1.0).contains(&got), "{rate}: {got}");
    }
}

/// 1 Mbit/s and no delay: the queue holds 20 mtu = 30,000 bytes, so 20 packets of 1500; or what is
/// declared.
#[test]
fn the_queue_is_bounded_and_drains() {
    for (queue, packets) in [(None, 20), (Some(ByteSize(4500)), 3)] {
        let mut link = link(|p| {
            p.rate = Some(BitRate(1_000_000));
            p.queue = queue;
        });
        let mut seen = Seen::default();
        let mut pass = |now| link.pass(now, 1500, 1, &mut seen).first;
        let fates: Vec<_> = (0..30).map(|_| pass(0)).collect();
        let full = fates
            .iter()
            .position(|f| *f == Verdict::Dropped(Cause::Queue));
        assert_eq!(full, Some(packets));
        let after = packets as u64 * 12 * MS;
        assert_eq!(fates[packets - 1], Verdict::deliver(after));
        assert_eq!(pass(12 * MS), Verdict::deliver(after + 12 * MS));
        assert_eq!(link.backlog(12 * MS), packets as u64 * 1500);
    }
}

#[test]
fn jitter_stays_in_bounds_and_reaches_them() {
    let mut link = link(|p| {
        p.delay = Duration::from_millis(5);
        p.jitter = Duration::from_millis(2);
    });
    let late: Vec<u64> = fates(&mut link, 1, 10_000)
        .iter()
        .map(|f| time(f.first))
        .collect();
    let (min, max) = (late.iter().min().unwrap(), late.iter().max().unwrap());
    assert!(*min >= 3 * MS && *max <= 7 * MS);
    // 10^4 uniform draws miss a hundredth of the range with probability 0.99^10000 < 10^-43.
    assert!(*min < 3 * MS + 40_000 && *max > 7 * MS - 40_000);
}

#[test]
fn no_distribution_makes_a_packet_early() {
    for distribution in [Distribution::Normal, Distribution::Pareto] {
        let mut link = link(|p| {
            p.delay = Duration::from_millis(1);
            p.jitter = Duration::from_millis(5);
            p.distribution = distribution;
        });
        let late: Vec<u64> = fates(&mut link, 1, 1000)
            .iter()
            .map(|f| time(f.first))
            .collect();
        assert!(late.contains(&0), "some would be negative");
        assert!(late.iter().any(|t| *t > 6 * MS));
    }
}

#[test]
fn every_nth_packet_of_a_flow_is_lost() {
    let mut link = link(|p| p.loss_every = 4);
    assert_eq!(lost(&mut link, 1, 10), [3, 7]);
    assert_eq!(lost(&mut link, 2, 10), [3, 7]);
}

/// 99 % of binomial(10^5, 0.02) lie within 2000 ± 114.
#[test]
fn copies_follow_with_fates_of_their_own() {
    let mut link = link(|p| {
        p.delay = Duration::from_millis(5);
        p.jitter = Duration::from_millis(2);
        p.duplicate = Ratio(0.02);
        p.corrupt = Ratio(0.5);
    });
    let all = fates(&mut link, 1, 100_000);
    let twice: Vec<_> = all
        .iter()
        .filter_map(|f| f.copy.map(|c| (f.first, c)))
        .collect();
    assert!(twice.len().abs_diff(2000) <= 114, "{}", twice.len());
    let harmed = |v: &Verdict| matches!(v, Verdict::Deliver(a) if a.corrupt.is_some());
    let differ = |(a, b): &&(Verdict, Verdict)| harmed(a) != harmed(b);
    // Half of them: 99 % within ± 2.576 √(n/4).
    let apart = twice.iter().filter(differ).count();
    assert!(apart.abs_diff(twice.len() / 2) <= 60, "{apart}");
    assert!(twice.iter().filter(|(a, b)| time(*a) == time(*b)).count() < 5);
}

#[test]
fn corruption_has_its_share_and_different_bits() {
    let mut link = link(|p| p.corrupt = Ratio(0.01));
    let bits: Vec<u64> = fates(&mut link, 1, 100_000)
        .iter()
        .filter_map(|f| match f.first {
            Verdict::Deliver(arrival) => arrival.corrupt.map(|c| c.draw),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(bits.len().abs_diff(1000) <= 81, "{}", bits.len());
    assert!(bits.windows(2).all(|pair| pair[0] != pair[1]));
}

/// tc-netem(8): with `reorder 100% gap 5` every fifth packet is sent at once; with 25 % the process
/// starts again after each one that overtook.
#[test]
fn reordering_has_the_gap_of_netem() {
    let reordering = |share, gap| {
        link(move |p| {
            p.delay = Duration::from_millis(5);
            p.reorder = Some(Reorder {
                share: Ratio(share),
                correlation: Ratio(0.0),
                gap,
            });
        })
    };
    let early = |f: &Fate| time(f.first) == 0;
    assert_eq!(which(&mut reordering(1.0, 5), 12, early), [4, 9]);
    let found = which(&mut reordering(0.25, 5), 100_000, early);
    assert!(found.windows(2).all(|pair| pair[1] - pair[0] >= 5));
    // 4 packets, then a geometric wait of 4: one in 8. Standard error of the count: √(n · 12/8³) = 48.
    assert!(found.len().abs_diff(12_500) <= 125, "{}", found.len());
    let all = which(&mut reordering(0.25, 0), 100_000, early);
    // 99 % of binomial(10^5, 0.25): 25,000 ± 353.
    assert!(all.len().abs_diff(25_000) <= 353, "{}", all.len());
}

#[test]
fn larger_packets_are_refused_aloud_or_in_silence() {
    for black_hole in [false, true] {
        let bytes = 1200;
        let mut link = link(|p| p.mtu = Some(LinkMtu { bytes, black_hole }));
        let mut pass = |bytes| link.pass(0, bytes, 1, &mut Seen::default()).first;
        assert_eq!(pass(1200), Verdict::deliver(0));
        let expected = match black_hole {
            false => Verdict::TooBig(1200),
            true => Verdict::Dropped(Cause::Mtu),
        };
        assert_eq!(pass(1201), expected);
    }
}

#[test]
fn a_trace_gives_the_capacity_behind_the_rate() {
    let traces = [Arc::new("0\n1\n2\n3\n4\n5\n10\n".parse::<Trace>().unwrap())];
    let properties = with(|p| {
        p.trace = Some(TraceIndex(0));
        p.queue = Some(ByteSize(3000));
        p.delay = Duration::from_millis(7);
    });
    let mut link = Link::new(7, LINK, properties, &traces);
    link.begin_trace(100 * MS);
    let mut seen = Seen::default();
    let mut pass = |link: &mut Link, now| link.pass(now, 1500, 1, &mut seen).first;
    let at = |ms: u64| Verdict::deliver((ms + 107) * MS);
    assert_eq!(pass(&mut link, 100 * MS), at(0));
    assert_eq!(pass(&mut link, 100 * MS), at(1));
    assert_eq!(pass(&mut link, 100 * MS), Verdict::Dropped(Cause::Queue));
    assert_eq!(link.backlog(100 * MS), 3000);
    assert_eq!(pass(&mut link, 106 * MS), at(10));
    // A change of something else does not begin the trace anew; the end of the trace frees the link.
    let mut changed = properties;
    changed.delay = Duration::ZERO;
    link.change(changed, false, &traces);
    assert_eq!(pass(&mut link, 110 * MS), Verdict::deliver(110 * MS));
    changed.trace = None;
    link.change(changed, false, &traces);
    assert_eq!(pass(&mut link, 113 * MS), Verdict::deliver(113 * MS));
}

#[test]
fn the_end_of_a_rate_frees_the_link_at_once() {
    let slow = with(|p| p.rate = Some(BitRate(1_000_000)));
    let mut link = Link::new(7, LINK, slow, &[]);
    let mut seen = Seen::default();
    assert_eq!(
        link.pass(0, 1500, 1, &mut seen).first,
        Verdict::deliver(12 * MS)
    );
    link.change(LinkProperties::default(), false, &[]);
    assert!(
        !link.per_packet(),
        "the first one leaves when it was told to"
    );
    let after = link.pass(5 * MS, 1500, 1, &mut seen).first;
    assert_eq!(after, Verdict::deliver(5 * MS));
}

/// A full queue of 16 kbit/s is no full queue of 10 Mbit/s (it was, and dropped all for 600 times as long).
#[test]
fn a_healed_rate_drops_nothing() {
    let at = |rate| with(|p| (p.rate, p.queue) = (Some(BitRate(rate)), Some(ByteSize(30_000))));
    let mut link = Link::new(7, LINK, at(16_000), &[]);
    let mut seen = Seen::default();
    let mut pass = |link: &mut Link, now| link.pass(now, 1000, 1, &mut seen).first;
    let fates: Vec<_> = (0..40).map(|_| pass(&mut link, 0)).collect();
    let dropped = |fate: &&Verdict| **fate == Verdict::Dropped(Cause::Queue);
    assert_eq!(fates.iter().filter(dropped).count(), 10);
    link.change(at(10_000_000), false, &[]);
    assert_eq!(link.backlog(MS), 29_998);
    // A millisecond of the old rate has passed, and the queue is 24 ms long.
    assert_eq!(pass(&mut link, MS), Verdict::Dropped(Cause::Queue));
    assert_eq!(link.backlog(25 * MS), 0);
    assert_eq!(
        pass(&mut link, 25 * MS),
        Verdict::deliver(25 * MS + 800_000)
    );
}

/// Until a run begins its trace goes on from where it was; then it begins, whatever it has played.
#[test]
fn a_trace_begins_as_often_as_it_is_told() {
    let traces = [Arc::new("10\n".parse::<Trace>().unwrap())];
    let traced = with(|p| (p.trace, p.queue) = (Some(TraceIndex(0)), Some(ByteSize(4500))));
    let mut link = Link::new(7, LINK, traced, &traces);
    let mut seen = Seen::default();
    let mut pass = |link: &mut Link, now| link.pass(now, 1500, 1, &mut seen).first;
    let at = |ms: u64| Verdict::deliver(ms * MS);
    link.begin_trace(0);
    assert_eq!(pass(&mut link, 1001 * MS), at(1010));
    link.begin_trace(2005 * MS);
    assert_eq!(
        pass(&mut link, 1501 * MS),
        at(1510),
        "not held until it begins"
    );
    assert_eq!(link.backlog(2006 * MS), 0);
    assert_eq!(pass(&mut link, 2006 * MS), at(2015));
    link.begin_trace(3001 * MS);
    assert_eq!(pass(&mut link, 3002 * MS), at(3011));
}

#[test]
fn the_flow_table_is_bounded() {
    let mut flows = Flows::default();
    for flow in 0..FLOWS as u64 + 1000 {
        flows.of(LINK, flow).index += 1;
    }
    assert_eq!(flows.exact.len(), FLOWS);
    assert_eq!(
        flows.of(LINK, 5).index,
        1,
        "early flows keep their own counter"
    );
}

/// Everything at once but what depends on the time of entry (rate, trace).
fn eventful() -> Link {
    link(|p| {
        p.delay = Duration::from_millis(5);
        p.jitter = Duration::from_millis(1);
        p.distribution = Distribution::Normal;
        p.jitter_correlation = Ratio(0.5);
        p.loss = Ratio(0.05);
        p.loss_correlation = Ratio(0.3);
        p.loss_bursts = Some(GilbertElliott {
            p: Ratio(0.05),
            r: Ratio(0.4),
            bad: Ratio(0.8),
            good: Ratio(0.01),
        });
        p.loss_every = 17;
        p.duplicate = Ratio(0.1);
        p.corrupt = Ratio(0.1);
        p.corrupt_correlation = Ratio(0.2);
        p.reorder = Some(Reorder {
            share: Ratio(0.5),
            correlation: Ratio(0.2),
            gap: 3,
        });
    })
}

/// A fate, with the time relative to the entry.
fn relative(fate: Fate, now: u64) -> Fate {
    let relative = |verdict| match verdict {
        Verdict::Deliver(arrival) => Verdict::Deliver(Arrival {
            at: arrival.at - now,
            ..arrival
        }),
        other => other,
    };
    Fate {
        first: relative(fate.first),
        copy: fate.copy.map(relative),
    }
}

proptest! {
    /// A recorded sequence of packets (flow, length, time since the one before), replayed alone and
    /// between the packets of others at other times: every flow meets the same fates.
    #[test]
    fn fates_depend_on_neither_other_flows_nor_timing(
        packets in prop::collection::vec((0_u64..4, 40_usize..1500, 0_u64..MS), 1..300),
        shift in 0_u64..1_000_000 * MS,
    ) {
        let (mut link, mut flows, mut now) = (eventful(), Flows::default(), shift);
        let mut mixed = vec![Vec::new(); 4];
        for &(flow, bytes, gap) in &packets {
            now += gap;
            let fate = link.pass(now, bytes, flow, flows.of(LINK, flow));
            mixed[flow as usize].push(relative(fate, now));
        }
        for flow in 0..4 {
            let (mut link, mut seen) = (eventful(), Seen::default());
            let own = packets.iter().filter(|p| p.0 == flow);
            let alone: Vec<Fate> = own.map(|p| link.pass(0, p.1, flow, &mut seen)).collect();
            prop_assert_eq!(&alone, &mixed[flow as usize]);
        }
    }

    /// Stages are independent: switching the others on and off does not move the loss.
    #[test]
    fn other_stages_move_nothing(duplicate: bool, corrupt: bool, jitter: bool, rate: bool) {
        let expected = lost(&mut lossy(), 1, 2000);
        let mut link = lossy();
        let others = with(|p| {
            p.loss = Ratio(0.01);
            p.duplicate = Ratio(f64::from(u8::from(duplicate)) / 2.0);
            p.corrupt = Ratio(f64::from(u8::from(corrupt)) / 2.0);
            p.jitter = Duration::from_millis(u64::from(jitter));
            p.rate = rate.then_some(BitRate(1_000_000));
        });
        link.change(others, false, &[]);
        prop_assert_eq!(expected, lost(&mut link, 1, 2000));
    }
}
