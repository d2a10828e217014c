//! Who sits at the terminal.

use crate::audit::Caller;

/// Where the operating system keeps the names of its accounts.
const ACCOUNTS: &str = "/etc/passwd";

/// Who asks, as the operating system has it: the account that the program runs as, whatever the environment says. Whoever can
/// write the data folder owns it, and is not bound by roles (docs/ROLES.md).
#[must_use]
pub fn caller() -> Caller {
    let uid = rustix::process::getuid().as_raw();
    let accounts = fs_err::read_to_string(ACCOUNTS).unwrap_or_default();
    // Accounts of a directory service have no line there: the number stands for them.
    let user = name_of(uid, &accounts).map_or_else(|| format!("uid {uid}"), str::to_owned);
    let host = fs_err::read_to_string("/etc/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(64).collect();
    Caller::new(&user, &format!("command line of {host}"), None)
}

/// The name of an account in a file as passwd(5) is: the first of that number. What can be no name of an account is none, so
/// that nobody goes by words that the program has for itself.
fn name_of(uid: u32, accounts: &str) -> Option<&str> {
    let plain = |name: &str| {
        let known = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        !name.is_empty() && name.chars().all(known)
    };
    let mut named = accounts.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    });
    named.next().filter(|name| plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_the_name_of_their_number() {
        let accounts = "root:x:0:0:root:/:/bin/sh\n\n# no line\nann:x:1000:1000::/:\nagain:x:1000:1::/:\nthe server itself:x:7:7::/:\n:x:8:8::/:\n";
        assert_eq!([0, 1000, 1, 7, 8].map(|uid| name_of(uid, accounts)), [Some("root"), Some("ann"), None, None, None]);
    }
}
