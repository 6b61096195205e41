//! The few colours of netlab's texts, or none of them.

use owo_colors::{OwoColorize, Style};

/// Paints text, or leaves it plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    /// Whether colours are used.
    pub coloured: bool,
}

impl Palette {
    /// No colours.
    pub const PLAIN: Palette = Palette { coloured: false };

    fn paint(self, text: &str, style: Style) -> String {
        if self.coloured && !text.is_empty() {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }

    /// What the eye should find first.
    pub fn strong(self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    /// Headings and other things that only help.
    pub fn quiet(self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// As it should be.
    pub fn good(self, text: &str) -> String {
        self.paint(text, Style::new().green())
    }

    /// Worth a look.
    pub fn warn(self, text: &str) -> String {
        self.paint(text, Style::new().yellow())
    }

    /// Failed.
    pub fn bad(self, text: &str) -> String {
        self.paint(text, Style::new().red())
    }

    /// Something that was done to the lab: faults.
    pub fn fault(self, text: &str) -> String {
        self.paint(text, Style::new().magenta())
    }

    /// The `n`th of several things that only have to look different.
    pub fn nth(self, n: usize, text: &str) -> String {
        let styles = [
            Style::new().cyan(),
            Style::new().green(),
            Style::new().yellow(),
            Style::new().magenta(),
            Style::new().blue(),
            Style::new().bright_cyan(),
            Style::new().bright_green(),
            Style::new().bright_magenta(),
        ];
        self.paint(text, styles[n % styles.len()])
    }

    /// A share of successes, coloured by how good it is.
    pub fn success(self, share: Option<f64>, text: &str) -> String {
        match share {
            None => self.quiet(text),
            Some(share) if share >= 0.99 => self.good(text),
            Some(share) if share >= 0.5 => self.warn(text),
            Some(_) => self.bad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_plain() {
        assert_eq!(Palette::PLAIN.bad("x"), "x");
        assert_eq!(Palette { coloured: true }.bad("x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
