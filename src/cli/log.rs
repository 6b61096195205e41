//! `tracing` to stderr: what netlab does inside, for those who ask with `-v`.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging; `NETLAB_LOG` (as in `netlab=debug,bollard=info`) overrides the level.
pub fn start(verbose: u8, format: LogFormat, coloured: bool) {
    let level = match verbose {
        0 => "netlab=warn",
        1 => "netlab=info",
        2 => "netlab=debug",
        _ => "netlab=trace,bollard=debug",
    };
    let filter = EnvFilter::try_from_env("NETLAB_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(coloured)
        .with_writer(|| super::screen::Above);
    match format {
        LogFormat::Text => builder.without_time().with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}
