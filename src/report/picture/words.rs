//! Properties of links in words, as short as they can be said.

use crate::id::NodeIndex;
use crate::lab::Links;
use crate::link::{Checksum, Distribution, LinkProperties};
use netlab_protocol::duration::format as time;

/// What both directions have: `rtt 10ms, loss 1%`; where they differ, each with its arrow.
pub(super) fn pair(there: &LinkProperties, back: &LinkProperties) -> String {
    let rtt = format!("rtt {}", time(there.delay + back.delay));
    let (one, two) = (rest(there), rest(back));
    let same_delay = there.delay == back.delay;
    if same_delay && one == two {
        return [vec![rtt], one].concat().join(", ");
    }
    let way = |delay: std::time::Duration, rest: Vec<String>| {
        let delay = (!same_delay).then(|| time(delay));
        let words: Vec<String> = delay.into_iter().chain(rest).collect();
        match words.is_empty() {
            true => "nothing".to_owned(),
            false => words.join(", "),
        }
    };
    let (one, two) = (way(there.delay, one), way(back.delay, two));
    format!("{rtt}, there {one}, back {two}")
}

/// What a pair has that is not as its network has it; with everything where that says nothing.
pub(super) fn difference(
    there: &LinkProperties,
    back: &LinkProperties,
    usual: &LinkProperties,
) -> String {
    let usual_words = rest(usual);
    let other = |link: &LinkProperties| -> Vec<String> {
        let words = rest(link);
        let gone = usual_words.iter().filter(|word| {
            let what = |word: &str| word.split(' ').next().unwrap_or_default().to_owned();
            !words.iter().any(|own| what(own) == what(word))
        });
        let gone = gone.map(|word| format!("no {word}"));
        let new = words
            .iter()
            .filter(|word| !usual_words.contains(word))
            .cloned();
        new.chain(gone).collect()
    };
    let (one, two) = (other(there), other(back));
    let mut said = Vec::new();
    if there.delay == back.delay {
        if there.delay != usual.delay {
            said.push(format!("rtt {}", time(there.delay + back.delay)));
        }
        if one == two {
            said.extend(one);
            return said.join(", ");
        }
    }
    for (link, words, way) in [(there, one, "there"), (back, two, "back")] {
        let delay = (there.delay != back.delay).then(|| time(link.delay));
        let words: Vec<String> = delay.into_iter().chain(words).collect();
        if !words.is_empty() {
            said.push(format!("{way} {}", words.join(", ")));
        }
    }
    said.join(", ")
}

/// `text` of [`difference`] with the names of both ends in the place of its directions.
pub(super) fn towards(text: &str, a: &str, b: &str) -> String {
    text.replacen("there ", &format!("to {b} "), 1)
        .replacen("back ", &format!("to {a} "), 1)
}

/// What the pair `a`, `b` of a network has of its own.
pub(super) fn of(links: &Links, a: NodeIndex, b: NodeIndex) -> String {
    difference(links.get(a, b), links.get(b, a), &links.default)
}

/// Everything of one direction but its delay.
fn rest(link: &LinkProperties) -> Vec<String> {
    let mut words = Vec::new();
    if link.down {
        words.push("down".to_owned());
    }
    if !link.jitter.is_zero() {
        let shape = match link.distribution {
            Distribution::Uniform => "",
            Distribution::Normal => " normal",
            Distribution::Pareto => " pareto",
        };
        words.push(format!("jitter {}{shape}", time(link.jitter)));
    }
    if link.loss.0 > 0.0 {
        words.push(format!("loss {}", link.loss));
    }
    if let Some(bursts) = link.loss_bursts {
        words.push(format!("loss {} in bursts", percent(bursts.share())));
    }
    if link.loss_every > 0 {
        words.push(format!("loss 1 of {}", link.loss_every));
    }
    let corrupt = match link.corrupt_checksum {
        Checksum::Wrong => "corrupt",
        Checksum::Fixed => "corrupt unseen",
    };
    for (share, what) in [(link.duplicate, "duplicate"), (link.corrupt, corrupt)] {
        if share.0 > 0.0 {
            words.push(format!("{what} {share}"));
        }
    }
    if let Some(reorder) = link.reorder {
        words.push(format!("reorder {}", reorder.share));
    }
    if let Some(rate) = link.rate {
        words.push(rate.to_string());
    }
    if link.trace.is_some() {
        words.push("recorded rate".to_owned());
    }
    if let Some(mtu) = link.mtu {
        words.push(format!("mtu {}", mtu.bytes));
    }
    words
}

/// A share with at most three digits that mean something.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = match percent {
        0.0 => "0".to_owned(),
        p if p >= 10.0 => format!("{p:.1}"),
        p if p >= 0.1 => format!("{p:.2}"),
        p => format!("{p:.4}"),
    };
    let short = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{short}%")
}

/// `1 node`, `12 nodes`.
pub(super) fn many(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{BitRate, Ratio};
    use std::time::Duration;

    #[test]
    fn both_ways_are_said_once_when_they_are_equal() {
        let link = |ms, loss| LinkProperties {
            delay: Duration::from_millis(ms),
            loss: Ratio(loss),
            rate: Some(BitRate(1_000_000)),
            ..LinkProperties::default()
        };
        assert_eq!(
            pair(&link(5, 0.01), &link(5, 0.01)),
            "rtt 10ms, loss 1%, 1mbit"
        );
        assert_eq!(
            pair(&link(5, 0.0), &link(40, 0.0)),
            "rtt 45ms, there 5ms, 1mbit, back 40ms, 1mbit"
        );
        assert_eq!(
            pair(
                &link(5, 0.01),
                &LinkProperties {
                    rate: None,
                    ..link(5, 0.0)
                }
            ),
            "rtt 10ms, there loss 1%, 1mbit, back nothing"
        );
    }

    #[test]
    fn only_what_differs_is_said() {
        let link = |ms, loss, rate: Option<u64>| LinkProperties {
            delay: Duration::from_millis(ms),
            loss: Ratio(loss),
            rate: rate.map(BitRate),
            ..LinkProperties::default()
        };
        let usual = link(5, 0.01, None);
        let said = |there, back| towards(&difference(&there, &back, &usual), "a", "b");
        assert_eq!(said(link(40, 0.01, None), link(40, 0.01, None)), "rtt 80ms");
        assert_eq!(said(link(5, 0.05, None), usual), "to b loss 5%");
        assert_eq!(said(link(5, 0.0, None), link(5, 0.0, None)), "no loss 1%");
        assert_eq!(
            said(usual, link(9, 0.01, Some(1000))),
            "to b 5ms, to a 9ms, 1kbit"
        );
    }

    #[test]
    fn shares_are_short() {
        assert_eq!(
            [0.0, 0.5, 0.00123, 1.0].map(percent),
            ["0%", "50%", "0.12%", "100%"]
        );
    }
}
