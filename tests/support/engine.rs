//! A second engine, made for one test: its own settings, folders, socket and mounts, so that killing it
//! harms nobody.

use super::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time of a start.
const PATIENCE: Duration = Duration::from_secs(150);

/// A Docker engine that belongs to the test.
pub struct Engine {
    folder: tempfile::TempDir,
    /// Holds the mounts, among them a `/run` of its own in which the shims' sockets are.
    keeper: Child,
    daemon: Option<Child>,
}

impl Engine {
    /// Starts it; none (with the reason printed) where that cannot be done.
    #[track_caller]
    pub fn start() -> Option<Engine> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("daemon.json"), "{}").unwrap();
        let there = Command::new("dockerd").arg("--version").output();
        if there.is_err() || !nix::unistd::geteuid().is_root() {
            let strict = std::env::var_os("NETLAB_TESTS_STRICT").is_some();
            assert!(!strict, "a second engine needs dockerd and root");
            eprintln!("SKIP: a second engine needs dockerd and root");
            return None;
        }
        let script = "mount -t tmpfs tmpfs /run && touch \"$0\" && exec sleep infinity";
        let ready = folder.path().join("ready");
        let keeper = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .arg(&ready)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut engine = Engine {
            folder,
            keeper,
            daemon: None,
        };
        eventually("the mounts are made", PATIENCE, || ready.exists());
        engine.run();
        Some(engine)
    }

    /// Starts the daemon, for the first time or again, and waits until it answers.
    #[track_caller]
    pub fn run(&mut self) {
        self.daemon = Some(self.spawn());
        let deadline = Instant::now() + PATIENCE;
        while self.docker(&["version"]).is_err() {
            let log = || self.log();
            assert!(Instant::now() < deadline, "it does not answer:\n{}", log());
            // It gives up where its containerd is slow to come back: started again, as by an init.
            let over = self.daemon.as_mut().map(Child::try_wait);
            if matches!(over, Some(Ok(Some(_)))) {
                self.kill();
                self.daemon = Some(self.spawn());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn spawn(&self) -> Child {
        let path = |name: &str| self.folder.path().join(name);
        for stale in ["docker.sock", "pid"] {
            let _ = fs::remove_file(path(stale)); // of the one that was killed
        }
        let log = File::options().create(true).append(true).open(path("log"));
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.keeper.id().to_string(), "dockerd"]);
        for (option, name) in [
            ("--config-file", "daemon.json"),
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            command.arg(option).arg(path(name));
        }
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        let child = command
            .args(["-H", &self.host()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn();
        child.unwrap()
    }

    /// Value of `DOCKER_HOST` by which it is reached.
    pub fn host(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("docker.sock").display()
        )
    }

    /// What the Docker client says of it.
    pub fn docker(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new("docker");
        let output = command.env("DOCKER_HOST", self.host()).args(args).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    /// Kills the daemon, and what it started to run containers with.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let containerd = self.folder.path().join("exec/containerd/containerd.pid");
        self.kill_by_file(&containerd);
    }

    fn kill_by_file(&self, file: &Path) {
        let Some(pid) = fs::read_to_string(file)
            .ok()
            .and_then(|t| t.trim().parse().ok())
        else {
            return;
        };
        // The number may be another's by now.
        let program = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if program.contains(&*self.folder.path().to_string_lossy()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Kills what lives in these mounts but the keeper: shims of which a killed daemon knew nothing yet.
    fn kill_rest(&self) {
        let mounts = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let others = [mounts(1), mounts(std::process::id())];
        // Never those of this machine, whatever became of the keeper.
        let own = mounts(self.keeper.id()).filter(|own| !others.contains(&Some(own.clone())));
        let Some(own) = own else {
            return;
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        for id in ids.filter(|id| *id != self.keeper.id()) {
            if mounts(id).is_some_and(|mounts| mounts == own) {
                let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
            }
        }
    }

    /// The end of what the daemon wrote.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Ok(all) = self.docker(&["ps", "-aq"]) {
            for id in all.lines() {
                let _ = self.docker(&["rm", "-f", "-v", id]);
            }
        }
        if let Some(daemon) = &mut self.daemon {
            let _ = kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM);
            let _ = daemon.wait();
        }
        self.kill_rest();
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
