//! The program as people meet it: what they type, and everything it prints.
//!
//! Needs no engine: what does is in the engine's tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the program left behind.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
    Ran {
        code,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

fn netlab(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("NETLAB_OWNER", "cli-test")
        .env("DOCKER_HOST", "unix:///nonexistent.sock")
        .stdin(Stdio::null());
    command
}

fn collect(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ran {
    collect(netlab(own(), arguments))
}

fn own() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_netlab"))
}

fn run_with_input(arguments: &[&str], input: &str) -> Ran {
    let mut command = netlab(own(), arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const GOOD: &str = "\
name: pair
link: { rtt: 10ms }
nodes:
  server: { role: server }
  client: { role: client, count: 2, load: { target: server, rate: 10/s } }
scenario:
  duration: 10s
  faults:
    loss: { at: 2s, for: 2s, kill: server }
";

#[test]
fn usage_errors_are_code_2() {
    let unknown = run(&["upp", "x"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(
        unknown.stderr.contains("a similar subcommand exists: 'up'"),
        "{unknown:?}"
    );
    assert_eq!(
        run(&["up", "x.yaml", "--ttl", "5"]),
        ran(
            2,
            "",
            "error: invalid value '5' for '--ttl <TIME>': `5` has no unit: write `5ms` or `5s`\n\n\
             For more information, try '--help'.\n"
        )
    );
    assert_eq!(
        run(&["down", "a", "--all"]),
        ran(
            2,
            "",
            "error: the argument '[LAB]...' cannot be used with '--all'\n\n\
             Usage: netlab down <LAB>...\n\n\
             For more information, try '--help'.\n"
        )
    );
}

#[test]
fn a_matrix_is_no_drawing() {
    let file = "topologies/ring.yaml";
    assert_eq!(
        run(&["graph", file, "--matrix", "--format", "dot"]),
        ran(
            2,
            "",
            "error: a matrix is no drawing\n  help: write it as table, json or csv, or leave `--matrix` out\n"
        )
    );
    assert_eq!(
        run(&["graph", file, "--format", "csv"]),
        ran(
            2,
            "",
            "error: a picture cannot be written like this\n  help: write it as svg, mermaid or dot, or add `--matrix`\n"
        )
    );
}

#[test]
fn a_missing_file_is_code_4() {
    let expected = ran(
        4,
        "",
        "error: cannot read nope.yaml\n  cause: No such file or directory (os error 2)\n",
    );
    assert_eq!(run(&["up", "nope.yaml"]), expected);
    assert_eq!(run(&["validate", "nope.yaml"]), expected);
    assert_eq!(run(&["plan", "nope.yaml", "--offline"]), expected);
}

#[test]
fn validate_tells_good_from_bad() {
    assert_eq!(
        run_with_input(&["validate", "-"], GOOD),
        ran(
            0,
            "<stdin>: lab pair, 3 nodes, 1 fault in 10s after 0s of warm-up\n",
            ""
        )
    );
    let bad = GOOD.replace("role: server", "role: servr");
    assert_eq!(
        run_with_input(&["validate", "-"], &bad),
        ran(4, "", include_str!("cli/bad-role.txt"))
    );
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let ran = run(&["validate", "nope.yaml", "topologies/client-server.yaml"]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.stdout
            .starts_with("topologies/client-server.yaml: lab client-server, ")
    );
    assert!(ran.stderr.starts_with("error: cannot read nope.yaml\n"));
}

#[test]
fn endless_input_is_refused() {
    let ran = run(&["validate", "/dev/zero"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    assert!(
        ran.stderr
            .starts_with("error: cannot read /dev/zero\n  cause: it is larger than")
    );
}

/// Tags of netlab's images change with every build.
fn without_tags(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split("image:netlab-").enumerate() {
        if at == 0 {
            out.push_str(part);
            continue;
        }
        let (kind, rest) = part.split_once(':').unwrap();
        out.push_str(&format!("image:netlab-{kind}:TAG{}", &rest[12..]));
    }
    out
}

#[test]
fn an_offline_plan_names_every_operation() {
    let mut planned = run_with_input(&["plan", "-", "--offline"], GOOD);
    planned.stdout = without_tags(&planned.stdout);
    assert_eq!(
        planned,
        ran(
            0,
            include_str!("cli/plan-offline.txt"),
            "offline: assuming an engine that holds nothing of this lab\n"
        )
    );
    let quiet = run_with_input(&["plan", "-", "--offline", "--format", "json", "-q"], GOOD);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&quiet.stdout).unwrap();
    assert_eq!(json["lab"], "pair");
    let operations = planned.stdout.lines().filter(|line| line.starts_with('#'));
    assert_eq!(
        json["operations"].as_array().unwrap().len(),
        operations.count()
    );
    let entries = json["timeline"]["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["occurrence"]), (2, &1.into()));
}

/// A timeline that was written down goes before what another seed would draw; one that does not fit
/// is refused before anything starts.
#[test]
fn a_recorded_timeline_takes_the_place_of_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let planned = |arguments: &[&str]| {
        let mut all = vec!["plan", "topologies/chaos.yaml", "--offline"];
        all.extend(["--format", "json", "-q"]);
        all.extend(arguments);
        let ran = run(&all);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        serde_json::to_string(&json["timeline"]).unwrap()
    };
    let (first, again) = (planned(&[]), planned(&[]));
    assert_eq!(first, again);
    let file = folder.path().join("timeline.json");
    std::fs::write(&file, &first).unwrap();
    let file = file.to_str().unwrap();
    let other = planned(&["--seed", "99"]);
    assert_ne!(first, other);
    assert_eq!(first, planned(&["--seed", "99", "--timeline", file]));

    let stderr = format!(
        "error[timeline]: {file}: it does not fit the lab `pair`: {}\n1 error; nothing was started\n",
        (1..=6)
            .map(|n| format!("there is no node `peer-{n}`"))
            .collect::<Vec<_>>()
            .join("; ")
    );
    let misfit = run_with_input(&["plan", "-", "--offline", "--timeline", file], GOOD);
    assert_eq!(misfit, ran(4, "", &stderr));
    std::fs::write(file, "{ \"entries\": [] }").unwrap();
    let old = run_with_input(&["plan", "-", "--offline", "--timeline", file], GOOD);
    assert_eq!(old.code, 4);
    assert!(
        old.stderr
            .contains("it is of format 0, and this netlab plays format 2"),
        "{}",
        old.stderr
    );
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.stdout.contains("NETLAB_COMPLETE"), "{shell}");
    }
}

/// What a shell is told about the last of these words.
fn completed(words: &[&str], engine: &str) -> Vec<String> {
    let line = ["--", "netlab"].iter().chain(words).copied();
    let line: Vec<&str> = line.collect();
    let mut command = netlab(own(), &line);
    command
        .env("NETLAB_COMPLETE", "fish")
        .env("DOCKER_HOST", engine);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.split('\t').next());
    names.map(str::to_owned).collect()
}

/// Commands, kinds and words are completed without an engine; names are not, in silence, and soon also
/// when an engine takes the call and says nothing.
#[test]
fn completing_is_quick_and_silent() {
    let none = "unix:///nonexistent.sock";
    assert_eq!(completed(&["valid"], none), ["validate"]);
    assert_eq!(completed(&["fault", "inject", "ki"], none), ["kill"]);
    let word = ["fault", "inject", "kill", "x", "--as", "pro"];
    assert_eq!(completed(&word, none), ["process"]);
    assert!(completed(&["fault", "inject", "kill", "s"], none).is_empty());

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("silent.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let begun = std::time::Instant::now();
    let engine = format!("unix://{}", socket.display());
    assert!(completed(&["logs", "s"], &engine).is_empty());
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn no_engine_is_code_5_with_the_cure() {
    let stderr = "\
error: there is no Docker engine at unix:///nonexistent.sock
  help: start Docker, or say where it is with DOCKER_HOST or `docker context use`
";
    for arguments in [
        &["up", "topologies/client-server.yaml"][..],
        &["plan", "topologies/client-server.yaml"],
        &["down"],
        &["ps"],
        &["logs"],
        &["exec", "server", "--", "true"],
        &["shell", "server"],
        &["wait"],
        &["images"],
    ] {
        assert_eq!(run(arguments), ran(5, "", stderr), "{arguments:?}");
    }
    let doctor = run(&["doctor"]);
    assert_eq!((doctor.code, doctor.stderr.as_str()), (5, ""));
    let expected = "\
fail     engine      there is no Docker engine at unix:///nonexistent.sock
                     → start Docker, or say where it is with DOCKER_HOST or `docker context use`
";
    assert!(doctor.stdout.starts_with(expected), "{}", doctor.stdout);
    let json = run(&["doctor", "--format", "json"]);
    let checks: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, checks[0]["state"].as_str()), (5, Some("fail")));
}

#[test]
fn no_right_to_the_socket_is_code_5_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path(), open(0o755)).unwrap();
    let socket = folder.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, open(0o000)).unwrap();
    let program = folder.path().join("netlab");
    std::fs::copy(own(), &program).unwrap();
    std::fs::set_permissions(&program, open(0o755)).unwrap();
    let endpoint = format!("unix://{}", socket.display());
    let mut command = netlab(&program, &["ps"]);
    command.env("DOCKER_HOST", &endpoint).current_dir("/");
    // Modes do not bind root.
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let stderr = format!(
        "error: no right to use the Docker engine at {endpoint}\n  help: add yourself to the \
         group docker (`sudo usermod -aG docker $USER`, then log in again), or use sudo\n"
    );
    assert_eq!(collect(command), ran(5, "", &stderr));
}

/// Answers every request as an engine of 2016 would, until the test is over.
fn old_engine(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            if !matches!(stream.read(&mut request), Ok(1..)) {
                continue;
            }
            let body = r#"{"Version":"1.12.6","ApiVersion":"1.24","Os":"linux","Arch":"amd64"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

#[test]
fn too_old_an_engine_is_code_5_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    old_engine(&socket);
    let endpoint = format!("unix://{}", socket.display());
    let mut command = netlab(own(), &["up", "topologies/client-server.yaml"]);
    command.env("DOCKER_HOST", &endpoint);
    let stderr = format!(
        "error: the Docker engine at {endpoint} is too old: its API is 1.24, netlab needs 1.41 \
         (Docker 20.10)\n  help: update the engine\n"
    );
    assert_eq!(collect(command), ran(5, "", &stderr));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut command = netlab(own(), &["completions", "bash"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    // The script may fit the pipe before it is closed; either way nothing is said.
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn help_has_examples_and_version_is_told() {
    for arguments in [
        &["--help"][..],
        &["up", "--help"],
        &["down", "--help"],
        &["ps", "--help"],
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let wide = ran.stdout.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{arguments:?}");
        assert!(ran.stdout.contains("Example"), "{arguments:?}");
    }
    assert_eq!(
        run(&["--version"]),
        ran(0, concat!("netlab ", env!("CARGO_PKG_VERSION"), "\n"), "")
    );
}
