//! Who sits at the terminal.

use crate::audit::Caller;

/// Who asks, as the operating system has it. Whoever can write the data folder owns it, and is not bound by roles (docs/ROLES.md).
#[must_use]
pub fn caller() -> Caller {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "unknown user".to_owned());
    let host = fs_err::read_to_string("/etc/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(64).collect();
    Caller::new(&user, &format!("command line of {host}"), None)
}
