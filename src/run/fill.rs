//! The files that a lab's volumes hold before anything starts, as tar archives.

use crate::lab::Lab;
use crate::plan::AgentConfig;
use std::io;

/// For the gate's volume (`init`), and for the agent's own (`agent.json`, `lab.json`).
pub(super) fn archives(
    lab: &Lab,
    config: &AgentConfig,
    init: &[u8],
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let gate = pack(&[("init", 0o755, init)])?;
    let config = serde_json::to_vec_pretty(config)?;
    let lab = serde_json::to_vec_pretty(lab)?;
    let state = pack(&[("agent.json", 0o600, &config), ("lab.json", 0o600, &lab)])?;
    Ok((gate, state))
}

pub(super) fn pack(files: &[(&str, u32, &[u8])]) -> io::Result<Vec<u8>> {
    let size: usize = files.iter().map(|(_, _, bytes)| bytes.len() + 1024).sum();
    let mut archive = tar::Builder::new(Vec::with_capacity(size + 1024));
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, path, *bytes)?;
    }
    archive.into_inner()
}
