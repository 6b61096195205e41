//! The key below a picture: what shapes, lines and marks mean, notes and faults.

use super::super::layout::{Rect, SMALL};
use super::super::text::{width, wrapped};
use super::super::{EdgeKind, Look, Picture};
use super::Out;
use std::collections::BTreeSet;

/// A line of the key.
const LINE: f64 = 24.0;
const NOTE: f64 = 17.0;

/// The key, from its upper left corner.
pub(super) struct Key {
    pub text: String,
    pub height: f64,
}

pub(super) fn key(picture: &Picture, wide: f64) -> Key {
    let mut out = Out(String::new());
    let mut y = 28.0;
    signs(&mut out, picture, wide, &mut y);
    y += LINE;
    for fault in &picture.faults {
        out.badge((9.0, y - 4.0), &fault.number.to_string());
        let told = format!("{}: {}, {}", fault.name, fault.what, fault.when);
        for line in wrapped(&told, SMALL, wide - 26.0) {
            out.text("key", (24.0, y), &line);
            y += NOTE;
        }
        y += 4.0;
    }
    for note in &picture.notes {
        for line in wrapped(note, SMALL, wide) {
            out.text("key", (0.0, y), &line);
            y += NOTE;
        }
    }
    Key {
        text: out.0,
        height: y - 10.0,
    }
}

/// Looks and lines that occur, one beside the other.
fn signs(out: &mut Out, picture: &Picture, wide: f64, y: &mut f64) {
    let mut x = 0.0;
    let mut room = |word: &str, y: &mut f64| {
        let needs = 36.0 + width(word, SMALL) + 22.0;
        if x > 0.0 && x + needs > wide {
            x = 0.0;
            *y += LINE;
        }
        let at = x;
        x += needs;
        at
    };
    let looks: BTreeSet<Look> = picture.nodes.iter().map(|node| node.look).collect();
    for look in looks {
        let at = room(look.word(), y);
        out.outline(
            look,
            Rect {
                x: at + 1.0,
                y: *y - 12.0,
                w: 27.0,
                h: 16.0,
            },
        );
        out.text("key", (at + 36.0, *y), look.word());
    }
    let kinds: BTreeSet<EdgeKind> = picture.edges.iter().map(|edge| edge.kind).collect();
    for kind in kinds {
        let at = room(kind.word(), y);
        let (a, b) = ((at, *y - 4.0), (at + 28.0, *y - 4.0));
        match kind {
            EdgeKind::Wire => out.line("wire", a, b),
            EdgeKind::Knows => out.line("knows", a, b),
            EdgeKind::Asks => out.arrow("asks", a, b),
            EdgeKind::Link => out.line("link", a, b),
            EdgeKind::Fault => out.line("fault", a, b),
        }
        out.text("key", (at + 36.0, *y), kind.word());
    }
}
