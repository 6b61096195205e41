//! `netlab agent attach`: carries lines between its standard streams and the running agent.
//!
//! The CLI runs it in the agent's container and so reaches the agent through any engine. Ends when
//! either side ends.

use crate::plan::AGENT_STATE;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Connects standard input and output with the agent's attach socket, until either side ends.
///
/// # Errors
/// No agent is listening; standard output is closed.
pub fn attach() -> io::Result<()> {
    let socket = UnixStream::connect(Path::new(AGENT_STATE).join("attach.sock"))?;
    let mut requests = socket.try_clone()?;
    // The thread may stay in a read for ever; it ends with the process.
    std::thread::Builder::new()
        .name("netlab-attach".to_owned())
        .spawn(move || {
            let copied = io::copy(&mut io::stdin().lock(), &mut requests);
            // The agent hears that nobody asks any more, answers what it was asked, and hangs up.
            let _ = requests.shutdown(Shutdown::Write); // it may have hung up before
            copied
        })?;
    let mut replies = socket;
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = replies.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        out.write_all(&buffer[..read])?;
        out.flush()?;
    }
}
