//! Where output goes: results to stdout, everything else to stderr, colour only for people.

use super::exit::Failure;
use crate::report::Palette;
use std::io::{self, IsTerminal, Write};

/// What is known about the two streams.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Colours of stdout.
    pub out: Palette,
    /// Colours of stderr.
    pub err: Palette,
    /// Whether stderr can be redrawn.
    pub live: bool,
    /// Whether progress is hidden.
    pub quiet: bool,
    /// Whether progress is written as JSON, one object per line.
    pub json: bool,
}

impl Terminal {
    /// Looks at the streams, `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM`.
    pub fn look(quiet: bool, json: bool) -> Terminal {
        let never = anstream::ColorChoice::Never;
        let term = std::env::var_os("TERM");
        Terminal {
            out: Palette {
                coloured: anstream::AutoStream::choice(&io::stdout()) != never,
            },
            err: Palette {
                coloured: anstream::AutoStream::choice(&io::stderr()) != never,
            },
            live: io::stderr().is_terminal()
                && term.is_some_and(|term| term != "dumb")
                && !quiet
                && !json,
            quiet,
            json,
        }
    }

    /// Writes a result.
    ///
    /// # Errors
    /// [`Failure::Output`].
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        super::screen::around(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        })
        .map_err(Failure::Output)
    }

    /// Shows what is looked at again and again: in the place of what it showed before where it redraws,
    /// else below it.
    ///
    /// # Errors
    /// [`Failure::Output`].
    pub fn show(&self, text: &str) -> Result<(), Failure> {
        if !self.live {
            return self.print(text);
        }
        super::screen::draw(self.fit(text));
        Ok(())
    }

    /// Writes a line of progress, unless nobody wants it.
    pub fn tell(&self, line: &str) {
        if self.json {
            self.tell_json(&serde_json::json!({ "progress": line }));
        } else if !self.quiet {
            self.say(line);
        }
    }

    /// Writes progress as one JSON object, unless nobody wants it.
    pub fn tell_json(&self, value: &impl serde::Serialize) {
        if let (false, Ok(line)) = (self.quiet, serde_json::to_string(value)) {
            self.say(&line);
        }
    }

    /// Writes a line about a problem; `--quiet` does not hide it.
    pub fn warn(&self, line: &str) {
        self.say(&format!("{}: {line}", self.err.warn("warning")));
    }

    /// Writes a line to stderr, above what is drawn there.
    pub fn say(&self, line: &str) {
        super::screen::above(format!("{line}\n").as_bytes());
    }

    /// The lines of `text` as far as stderr has room for them.
    pub fn fit(&self, text: &str) -> Vec<String> {
        let size = terminal_size::terminal_size_of(io::stderr());
        let rows = size.map_or(24, |(_, height)| usize::from(height.0)).max(3) - 1;
        let columns = self.width() - 1;
        let cut = |line: &str| line.chars().take(columns).collect::<String>();
        let mut lines: Vec<String> = text.lines().take(rows).map(cut).collect();
        let all = text.lines().count();
        if all > rows {
            lines.truncate(rows - 1);
            lines.push(format!("… and {} more", all - rows + 1));
        }
        lines
    }

    /// Columns of stderr; 80 when it has none.
    pub fn width(&self) -> usize {
        let size = terminal_size::terminal_size_of(io::stderr());
        size.map_or(80, |(width, _)| usize::from(width.0)).max(20)
    }
}
