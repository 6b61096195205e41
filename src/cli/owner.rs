//! Who I am to the engine: `$NETLAB_OWNER`, or `<user>@<host>`.

/// The value of the label `netlab.owner` for what this process makes.
pub fn owner() -> String {
    match std::env::var("NETLAB_OWNER") {
        Ok(owner) if !owner.trim().is_empty() => owner,
        _ => format!("{}@{}", user(), host()),
    }
}

fn user() -> String {
    let uid = nix::unistd::getuid();
    let named = ["USER", "LOGNAME"]
        .iter()
        .find_map(|var| std::env::var(var).ok());
    // No look-up in the password database: a static glibc may not load its plugins.
    match named {
        Some(name) if !name.is_empty() => name,
        _ if uid.is_root() => "root".to_owned(),
        _ => format!("uid-{uid}"),
    }
}

fn host() -> String {
    let own = nix::sys::utsname::uname();
    let name = own.map(|own| own.nodename().to_string_lossy().into_owned());
    name.unwrap_or_else(|_| "localhost".to_owned())
}
