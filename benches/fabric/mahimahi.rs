//! The same traffic under Mahimahi's shells, where they are installed.

use crate::bed::tcp;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Bits per second of one TCP connection out of `mm-delay`; why not, otherwise.
pub fn delayed(delay: Duration, warm: Duration, time: Duration) -> Result<f64, String> {
    let listener = TcpListener::bind(("0.0.0.0", 0)).map_err(|e| e.to_string())?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let sender = format!("exec cat /dev/zero >/dev/tcp/$MAHIMAHI_BASE/{port}");
    if Command::new("mm-delay").arg("--help").output().is_err() {
        return Err("mahimahi is not installed".to_owned());
    }
    // Its shells are set-user-ID and refuse to be run by root.
    let child = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "mm-delay",
        ])
        .arg(delay.as_millis().to_string())
        .args(["bash", "-c", &sender])
        .stdout(Stdio::null())
        .spawn();
    let mut child = child.map_err(|e| e.to_string())?;
    let rate = receive(&listener, warm, time).map_err(|e| e.to_string());
    let _ = child.kill();
    let _ = child.wait();
    rate
}

fn receive(listener: &TcpListener, warm: Duration, time: Duration) -> std::io::Result<f64> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    tcp::read_rate(&mut stream, warm)?;
    tcp::read_rate(&mut stream, time)
}
