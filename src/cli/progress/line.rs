//! A line of coloured pieces that can be cut to a width.

use crate::report::Palette;

type Paint = fn(Palette, &str) -> String;

/// Pieces of text, each with its colour.
#[derive(Clone, Debug, Default)]
pub struct Line(Vec<(Paint, String)>);

impl Line {
    /// Appends plain text.
    pub fn plain(self, text: impl Into<String>) -> Line {
        self.painted(|_, text| text.to_owned(), text)
    }

    /// Appends text in a colour.
    pub fn painted(mut self, paint: Paint, text: impl Into<String>) -> Line {
        self.0.push((paint, text.into()));
        self
    }

    /// Appends another line's pieces.
    pub fn then(mut self, other: Line) -> Line {
        self.0.extend(other.0);
        self
    }

    /// How many columns it has.
    pub fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// The text, cut after `width` columns with an ellipsis.
    pub fn render(&self, width: usize, palette: Palette) -> String {
        let cut = self.columns() > width;
        let mut left = if cut { width.saturating_sub(1) } else { width };
        let mut out = String::new();
        for (paint, text) in &self.0 {
            let columns = text.chars().count();
            let shown: String = text.chars().take(left).collect();
            out.push_str(&paint(palette, &shown));
            left = left.saturating_sub(columns);
        }
        if cut {
            out.push('…');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_at_the_edge() {
        let line = Line::default().plain("abc").painted(Palette::bad, "def");
        assert_eq!(line.render(6, Palette::PLAIN), "abcdef");
        assert_eq!(line.render(5, Palette::PLAIN), "abcd…");
        assert_eq!(line.render(0, Palette::PLAIN), "…");
    }
}
