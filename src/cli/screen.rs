//! A few lines at the end of stderr that are redrawn, with everything else written above them.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lines that are drawn now, and how many rows of the terminal they take.
static DRAWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn drawn() -> MutexGuard<'static, Vec<String>> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces what is drawn; each line must be narrower than the terminal. No lines: clears.
pub fn draw(lines: Vec<String>) {
    let mut drawn = drawn();
    let mut out = erase(&drawn);
    paint(&mut out, &lines);
    *drawn = lines;
    flush(&out);
}

/// Writes `text` (whole lines) above what is drawn.
pub fn above(text: &[u8]) {
    let drawn = drawn();
    let mut out = erase(&drawn);
    out.extend_from_slice(text);
    paint(&mut out, &drawn);
    flush(&out);
}

/// To the first column of the first drawn line, everything below cleared (ECMA-48: CUU, ED).
fn erase(drawn: &[String]) -> Vec<u8> {
    match drawn.len() {
        0 => Vec::new(),
        rows => format!("\x1b[{rows}A\r\x1b[J").into_bytes(),
    }
}

fn paint(out: &mut Vec<u8>, lines: &[String]) {
    for line in lines {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
}

/// Nobody can be told when stderr is gone.
fn flush(out: &[u8]) {
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
