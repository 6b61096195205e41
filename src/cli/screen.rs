//! Lines at the end of stderr that are redrawn, in regions below each other, with everything else
//! written above them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The regions in the order in which they stand, and how many rows are drawn now.
static DRAWN: Mutex<Drawn> = Mutex::new(Drawn {
    regions: Vec::new(),
    rows: 0,
});
/// Number of the next region.
static NEXT: AtomicU64 = AtomicU64::new(1);

struct Drawn {
    regions: Vec<(u64, Vec<String>)>,
    rows: usize,
}

fn drawn() -> MutexGuard<'static, Drawn> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines that belong together; they vanish with it.
#[derive(Debug)]
pub struct Region(u64);

impl Region {
    /// Below all others that are there, but for the last one.
    pub fn new() -> Region {
        Region(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Below all others, also those that come later.
    pub fn last() -> Region {
        Region(u64::MAX)
    }

    /// Replaces its lines; each must be narrower than the terminal.
    pub fn draw(&self, lines: Vec<String>) {
        drawn().replace(self.0, lines);
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.draw(Vec::new());
    }
}

/// Replaces the lines of the region of whoever has only one, above all others; they stay when the
/// process ends.
pub fn draw(lines: Vec<String>) {
    drawn().replace(0, lines);
}

/// Takes everything away that is drawn, for good.
pub fn clear() {
    let mut drawn = drawn();
    let out = drawn.erase();
    drawn.regions.clear();
    flush(&out);
}

/// Writes `text` (whole lines) above what is drawn.
pub fn above(text: &[u8]) {
    let mut drawn = drawn();
    let mut out = drawn.erase();
    out.extend_from_slice(text);
    drawn.paint(&mut out);
    flush(&out);
}

/// Lets `write` write to another stream, which may be the same terminal, above what is drawn.
pub fn around<T>(write: impl FnOnce() -> T) -> T {
    let mut drawn = drawn();
    let out = drawn.erase();
    flush(&out);
    let written = write();
    let mut out = Vec::new();
    drawn.paint(&mut out);
    flush(&out);
    written
}

impl Drawn {
    fn replace(&mut self, region: u64, lines: Vec<String>) {
        let unchanged = match self.regions.iter().find(|(id, _)| *id == region) {
            Some((_, before)) => *before == lines,
            None => lines.is_empty(),
        };
        if unchanged {
            return;
        }
        let mut out = self.erase();
        self.regions.retain(|(id, _)| *id != region);
        if !lines.is_empty() {
            self.regions.push((region, lines));
            self.regions.sort_by_key(|(id, _)| *id);
        }
        self.paint(&mut out);
        flush(&out);
    }

    /// To the first column of the first drawn line, everything below cleared (ECMA-48: CUU, ED).
    fn erase(&mut self) -> Vec<u8> {
        match std::mem::take(&mut self.rows) {
            0 => Vec::new(),
            rows => format!("\x1b[{rows}A\r\x1b[J").into_bytes(),
        }
    }

    /// Draws as many lines as the terminal has room for: those above it could not be erased.
    fn paint(&mut self, out: &mut Vec<u8>) {
        let size = terminal_size::terminal_size_of(io::stderr());
        let most = size.map_or(24, |(_, height)| usize::from(height.0)).max(2) - 1;
        let lines = self.regions.iter().flat_map(|(_, lines)| lines);
        for line in lines.take(most) {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
            self.rows += 1;
        }
    }
}

/// Nobody can be told when stderr is gone.
fn flush(out: &[u8]) {
    if out.is_empty() {
        return;
    }
    let mut err = io::stderr().lock();
    let _ = err.write_all(out).and_then(|()| err.flush());
}

/// For log lines: [`above`] as a writer.
#[derive(Debug)]
pub struct Above;

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        above(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
