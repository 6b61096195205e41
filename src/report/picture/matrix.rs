//! What a packet meets between every ordered pair of nodes, as declared: round trip, loss, bottleneck
//! and, where it passes others, the way.

use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::lab::route::{self, Routes};
use crate::link::LinkProperties;
use crate::units::BitRate;
use netlab_protocol::duration;
use serde::Serialize;
use std::time::Duration;

/// One ordered pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Sender.
    pub from: String,
    /// Receiver.
    pub to: String,
    /// Delay there and back, without jitter, queues and serialisation; none: no way there, or none
    /// back.
    #[serde(with = "duration::option")]
    pub rtt: Option<Duration>,
    /// Share of the packets lost on the way there in the long run, all kinds of loss together; none:
    /// no way.
    pub loss: Option<f64>,
    /// The smallest declared rate on the way there, access links included; none: unlimited.
    pub rate: Option<BitRate>,
    /// The nodes on the way, ends included; empty: no way.
    pub path: Vec<String>,
}

/// A share for people.
pub fn percent(share: f64) -> String {
    super::words::percent(share)
}

/// One step of a way.
struct Hop<'a> {
    from: NodeIndex,
    to: NodeIndex,
    link: &'a LinkProperties,
}

/// All ordered pairs, in the lab's order.
pub fn matrix(lab: &Lab) -> Vec<Row> {
    let routes = Routes::new(lab);
    let n = lab.nodes.len() as u32;
    let pairs = (0..n).flat_map(|a| (0..n).filter(move |b| *b != a).map(move |b| (a, b)));
    pairs
        .map(|(a, b)| row(lab, &routes, NodeIndex(a), NodeIndex(b)))
        .collect()
}

fn row(lab: &Lab, routes: &Routes<'_>, from: NodeIndex, to: NodeIndex) -> Row {
    let name = |node: NodeIndex| lab.nodes[node.at()].name.to_string();
    let there = way(lab, routes, from, to);
    let delay = |hops: &[Hop<'_>]| hops.iter().map(|hop| hop.link.delay).sum::<Duration>();
    let back = there.as_ref().and_then(|_| way(lab, routes, to, from));
    let rtt = there
        .as_ref()
        .zip(back)
        .map(|(there, back)| delay(there) + delay(&back));
    let hops = there.as_deref().unwrap_or_default();
    let rates = hops
        .iter()
        .flat_map(|hop| [hop.link.rate, lab.nodes[hop.from.at()].uplink]);
    let kept = |hops: &[Hop<'_>]| hops.iter().map(|hop| 1.0 - loss(hop.link)).product::<f64>();
    let mut path: Vec<String> = hops.iter().map(|hop| name(hop.from)).collect();
    path.extend(hops.last().map(|hop| name(hop.to)));
    Row {
        from: name(from),
        to: name(to),
        rtt,
        loss: there.as_deref().map(|hops| 1.0 - kept(hops)),
        rate: rates.flatten().min(),
        path,
    }
}

/// The share that a link loses in the long run.
fn loss(link: &LinkProperties) -> f64 {
    if link.down {
        return 1.0;
    }
    let bursts = link.loss_bursts.map_or(0.0, |bursts| bursts.share());
    let every = match link.loss_every {
        0 => 0.0,
        every => 1.0 / f64::from(every),
    };
    1.0 - (1.0 - link.loss.0) * (1.0 - bursts) * (1.0 - every)
}

/// The way that packets take; none: there is none.
fn way<'a>(
    lab: &'a Lab,
    routes: &Routes<'_>,
    from: NodeIndex,
    to: NodeIndex,
) -> Option<Vec<Hop<'a>>> {
    let hop = |hop: route::Hop| Hop {
        from: hop.from,
        to: hop.to,
        link: lab.networks[hop.network.at()].links.get(hop.from, hop.to),
    };
    Some(routes.path(from, to)?.into_iter().map(hop).collect())
}
