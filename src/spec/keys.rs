//! What keys may hold, as data: the reader's tables are made of these, and so is the JSON Schema.
//!
//! Must not know any key.

/// A key of a map.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its word.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// One sentence for people.
    pub help: &'static str,
}

/// A key, for tables.
pub const fn key(name: &'static str, kind: Kind, help: &'static str) -> Key {
    Key { name, kind, help }
}

/// What a map may hold.
#[derive(Debug)]
pub struct Shape {
    /// What the map is, for messages: `a node`.
    pub what: &'static str,
    /// The keys that are read.
    pub keys: &'static [Key],
    /// Those without which it means nothing, whatever `defaults` say.
    pub needs: &'static [&'static str],
    /// Keys of the full language that this version does not have.
    pub later: &'static [&'static str],
    /// Keys that people bring from elsewhere, with what to write instead.
    pub instead: &'static [(&'static str, &'static str)],
}

impl Shape {
    /// The words of the keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}

/// `first`, then `more`: `C` is `A` + `B`.
pub const fn joined<const A: usize, const B: usize, const C: usize>(
    first: [Key; A],
    more: [Key; B],
) -> [Key; C] {
    let mut all = [key("", Kind::Nothing, ""); C];
    let mut at = 0;
    while at < C {
        all[at] = if at < A { first[at] } else { more[at - A] };
        at += 1;
    }
    all
}

/// What a value may be. Wherever a scalar may stand, a template may, too.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A name of a lab, node or fault.
    Name,
    /// Text; with an example.
    Text(&'static str),
    /// Any scalar.
    Scalar,
    /// A whole number in this range.
    Integer(u64, u64),
    /// A number in this range.
    Number(u64, u64),
    /// `true` or `false`.
    Flag,
    /// A time with its unit.
    Time,
    /// Bits per second.
    BitRate,
    /// A share in percent.
    Share,
    /// A size.
    Bytes,
    /// Events per second.
    Frequency,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Which nodes.
    Nodes,
    /// Two selections.
    Pair,
    /// A list of these.
    List(&'static Kind),
    /// A map with these keys.
    Map(&'static Shape),
    /// A map from names of the author's to these.
    Dict(&'static Kind),
    /// Nothing behind the key.
    Nothing,
    /// One of these.
    Either(&'static [Kind]),
    /// A node: one of the maps that `nodes` reads.
    Node,
    /// A fault, by the table of kinds.
    Fault,
}
