//! A record as one HTML page that explains what happened: offline, readable without script.
//!
//! Owns the page's content ([`story`]), its figures ([`figures`]) and its look (`page.html`,
//! `page.css`; `hover.js` only adds the values under the pointer). Must not touch the engine, the
//! disk or a clock: equal records give equal bytes.

mod axis;
mod beside;
mod chart;
mod figures;
mod heat;
mod series;
mod story;
mod tables;
#[cfg(test)]
mod tests;

pub use beside::{Group, comparison_html};

use super::picture::{self, Picture};
use super::summary::Summary;
use super::window;
use crate::record::Run;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};

/// Why no page was made: a fault of netlab's own template.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be written")]
pub struct PageError(#[from] minijinja::Error);

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The record.
    pub run: &'a Run,
    /// Its summary.
    pub summary: &'a Summary,
    /// The topology as it was given, when the record has it.
    pub topology: Option<&'a str>,
}

/// The page of one run.
///
/// # Errors
/// See [`PageError`].
pub fn html(source: Source<'_>) -> Result<String, PageError> {
    let Source {
        run,
        summary,
        topology,
    } = source;
    let frame = window::frame(&run.events);
    let width = series::width(frame.end);
    let roles = series::series(run, &frame, width);
    let figure = figures::requests(&frame, summary, &roles, width);
    let picture = picture::svg(&Picture::of(&run.lab));
    let page = context! {
        css => CSS,
        js => JS,
        lab => &summary.lab,
        run => &summary.run,
        seed => run.lab.seed,
        nodes => run.lab.nodes.len(),
        verdict => values(&story::verdict(summary)),
        reasons => values(&summary.reasons),
        story => values(&story::story(summary)),
        figure => (!roles.is_empty()).then(|| safe(figure.svg())),
        readings => safe(figures::readings(&roles)),
        checks => values(&tables::checks(summary)),
        faults => values(&tables::faults(summary)),
        roles => values(&tables::whole(summary)),
        heat => heat::svg(run).map(safe),
        picture => safe(data_uri(&picture)), // no byte of it can end an attribute
        notes => values(&summary.notes),
        host => values(&tables::host(run)),
        topology => topology,
    };
    Ok(environment()?.get_template(PAGE)?.render(page)?)
}

const PAGE: &str = "page.html";
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("hover.js");

fn environment() -> Result<Environment<'static>, PageError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template(PAGE, include_str!("page.html"))?;
    environment.add_template(beside::PAGE, include_str!("compare.html"))?;
    Ok(environment)
}

fn values(of: &impl serde::Serialize) -> Value {
    Value::from(Serde(of))
}

fn safe(text: String) -> Value {
    Value::from_safe_string(text)
}

/// An SVG document as an address: inside an image its styles touch nothing else on the page.
fn data_uri(svg: &str) -> String {
    let mut out = String::from("data:image/svg+xml,");
    for byte in svg.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b' '
            | b'-'
            | b'_'
            | b'.'
            | b'='
            | b':'
            | b'/'
            | b';'
            | b','
            | b'('
            | b')' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
