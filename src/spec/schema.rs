//! The JSON Schema of topologies (draft 2020-12), made from the tables that the reader reads by.
//!
//! A schema knows keys, kinds, ranges, words and units. It does not know what refers to what, which
//! keys exclude each other, or how YAML is written: for that there is `netlab validate`.

use super::chaos::CHAOS;
use super::churn::CHURN;
use super::degrade::{DEGRADE, stepped};
use super::document::TOPOLOGY;
use super::keys::{Key, Kind, Shape};
use super::roles::{CLIENT, IMAGE, PEER, SERVER};
use super::schedule::TIMES;
use super::selector::COMPOSED;
use super::targets::{ENDS, SPLIT, split_words};
use crate::fault::{self, KINDS, ParamKind, Split, TargetShape};
use crate::units::pattern;
use serde_json::{Map, Value, json};

/// Names of labs, nodes and faults ([`crate::id::Name`]).
const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// The schema.
pub fn schema() -> Value {
    let mut schema = shape(&TOPOLOGY);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netlab topology",
        "description": "A client-server or peer-to-peer lab: nodes, links, load and faults.",
        "anyOf": [{ "required": ["name", "nodes"] }, { "required": ["include"] }],
        "examples": [{
            "name": "one-server",
            "link": { "rtt": "10ms" },
            "nodes": {
                "server": { "role": "server" },
                "client": { "role": "client", "count": 5, "load": { "target": "server", "rate": "20/s" } }
            },
            "scenario": { "duration": "20s", "faults": { "loss": { "at": "5s", "for": "5s", "kill": "server" } } }
        }],
        "$defs": definitions(),
    });
    if let (Value::Object(all), Value::Object(head)) = (&mut schema, head) {
        all.extend(head);
    }
    schema
}

fn definitions() -> Value {
    json!({
        "template": {
            "description": "A value computed from `params`, such as \"{{ clients * 2 }}\".",
            "type": "string",
            "pattern": r"\{\{",
        },
        "name": { "type": "string", "pattern": NAME },
        "time": quantity("A time with its unit.", &pattern::time(), &["250us", "20ms", "1.5s", "2min"]),
        "bit-rate": quantity("Bits per second.", &pattern::bit_rate(), &["500kbit", "100mbit", "1gbit"]),
        "share": quantity("A share in percent.", &pattern::share(), &["0.1%", "20%"]),
        "bytes": quantity("A size.", &pattern::bytes(), &["512B", "64KiB", "1MB"]),
        "cores": { "anyOf": [
            { "type": "number", "exclusiveMinimum": 0 },
            quantity("A share of a processor core, or cores.", &pattern::cores(), &["20%", "0.5"]),
        ] },
        "frequency": quantity("Events per time.", &pattern::frequency(), &["20/s", "30/min"]),
        "selector": {
            "description": "A node, a group, a role, a pattern, role=WORD, label=WORD, `all`, or a choice of them.",
            "examples": ["server", "client-*", "role=peer", "label=zone-a", "all", { "pick": 2, "of": "peer" }, { "all_but": "server" }],
            "anyOf": [
                { "type": ["string", "number", "boolean"] },
                with(shape(&COMPOSED), json!({ "anyOf": [
                    { "required": ["pick", "of"] },
                    { "required": ["all_but"] },
                ] })),
            ],
        },
        "nodes": { "anyOf": [
            reference("selector"),
            { "type": "array", "items": reference("selector"), "minItems": 1 },
        ] },
        "node": { "anyOf": [
            with(shape(&SERVER), json!({ "required": ["role"] })),
            with(shape(&CLIENT), json!({ "required": ["role"] })),
            with(shape(&PEER), json!({ "required": ["role"] })),
            with(shape(&IMAGE), json!({ "required": ["image"] })),
        ] },
        "fault": { "anyOf": KINDS.iter().map(fault).chain(drawn()).collect::<Vec<_>>() },
    })
}

fn quantity(description: &str, pattern: &str, examples: &[&str]) -> Value {
    json!({
        "description": description,
        "anyOf": [
            { "type": "string", "pattern": pattern, "examples": examples },
            reference("template"),
        ],
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn with(mut schema: Value, more: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut schema, more) {
        all.extend(more);
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    let mut properties = Map::new();
    for key in shape.keys {
        properties.insert(key.name.to_owned(), described(key));
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !shape.needs.is_empty() {
        schema["required"] = json!(shape.needs);
    }
    schema
}

fn described(key: &Key) -> Value {
    with(kind(&key.kind), json!({ "description": key.help }))
}

fn or_template(schema: Value) -> Value {
    json!({ "anyOf": [schema, reference("template")] })
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Name => or_template(reference("name")),
        Kind::Text(example) => json!({ "type": "string", "minLength": 1, "examples": [example] }),
        Kind::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Integer(low, high) => {
            or_template(json!({ "type": "integer", "minimum": low, "maximum": high }))
        }
        Kind::Number(low, high) => {
            or_template(json!({ "type": "number", "minimum": low, "maximum": high }))
        }
        Kind::Flag => or_template(json!({ "type": "boolean" })),
        Kind::Time => reference("time"),
        Kind::BitRate => reference("bit-rate"),
        Kind::Share => reference("share"),
        Kind::Bytes => reference("bytes"),
        Kind::Frequency => reference("frequency"),
        Kind::Word(words) => or_template(json!({ "enum": words })),
        Kind::Nodes => reference("nodes"),
        Kind::Pair => {
            json!({ "type": "array", "items": reference("nodes"), "minItems": 2, "maxItems": 2 })
        }
        Kind::List(inner) => json!({ "type": "array", "items": self::kind(inner) }),
        Kind::Map(inner) => shape(inner),
        Kind::Dict(inner) => json!({ "type": "object", "additionalProperties": self::kind(inner) }),
        Kind::Nothing => json!({ "type": "null" }),
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(self::kind).collect::<Vec<_>>() }),
        Kind::Node => reference("node"),
        Kind::Fault => reference("fault"),
    }
}

fn fault(kind: &fault::Kind) -> Value {
    let target = target(kind.target);
    let mut properties = Map::new();
    properties.insert(
        kind.name.to_owned(),
        with(target, json!({ "description": kind.help })),
    );
    for key in TIMES.iter().filter(|key| kind.lasts || key.name != "for") {
        properties.insert(key.name.to_owned(), described(key));
    }
    for param in kind.params {
        let value = match param.kind {
            ParamKind::Word(words) => or_template(json!({ "enum": words })),
            ParamKind::Duration | ParamKind::LongTime(_) => reference("time"),
            ParamKind::Share => reference("share"),
            ParamKind::Integer(low, high) => self::kind(&Kind::Integer(low, high)),
            ParamKind::Cores => reference("cores"),
            ParamKind::Size(_) => reference("bytes"),
        };
        properties.insert(
            param.name.to_owned(),
            with(value, json!({ "description": param.help })),
        );
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": [kind.name],
        "anyOf": [{ "required": ["at"] }, { "required": ["after"] }, { "required": ["when"] }],
        "dependentRequired": { "times": ["every"], "within": ["when"] },
        "additionalProperties": false,
    });
    let needed = fault::needed(kind).iter();
    let needed: Vec<Value> = needed.map(|one| json!({ "required": [one] })).collect();
    if !needed.is_empty() {
        schema["allOf"] = json!([{ "anyOf": needed }]);
    }
    schema
}

/// The faults whose occurrences are drawn.
fn drawn() -> [Value; 2] {
    let ways = ["session", "rate", "population"].map(|way| json!({ "required": [way] }));
    [with(shape(&CHURN), json!({ "oneOf": ways })), shape(&CHAOS)]
}

fn target(target: TargetShape) -> Value {
    let ends = json!({ "anyOf": [{ "required": ["between"] }, { "required": ["from", "to"] }] });
    match target {
        TargetShape::Nodes => reference("nodes"),
        TargetShape::Links => with(shape(&ENDS), ends),
        TargetShape::Degraded => with(stepping(shape(&DEGRADE)), ends),
        TargetShape::Groups => json!({ "anyOf": [
            { "type": "array", "items": reference("nodes"), "minItems": 2 },
            or_template(json!({ "enum": split_words() })),
            split(),
        ] }),
    }
}

/// The same map, whose properties may be steps, too.
fn stepping(mut schema: Value) -> Value {
    for (name, pattern) in stepped() {
        let property = &mut schema["properties"][name];
        let description = property["description"].take();
        if let Value::Object(rest) = &mut *property {
            rest.remove("description");
        }
        let step = json!({ "type": "string", "pattern": pattern });
        *property = json!({ "anyOf": [property.take(), step], "description": description });
    }
    schema
}

fn split() -> Value {
    let one = |split: &Split| json!({ "required": [split.word()], "maxProperties": 1 });
    let mut ways: Vec<Value> = Split::ALL.iter().map(one).collect();
    ways.push(json!({ "required": ["from", "to"], "maxProperties": 2 }));
    with(shape(&SPLIT), json!({ "anyOf": ways }))
}
