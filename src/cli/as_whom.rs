//! Who sits at the terminal.

use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::audit::{Caller, Detail, Happening, Kind, Outcome};
use crate::casework::Desk;
use crate::casework::access::api_keys::{self, Known};
use crate::casework::desk::vault_options;
use crate::gallery::{Access, Vault};
use crate::settings::Settings;

/// Where the operating system keeps the names of its accounts.
const ACCOUNTS: &str = "/etc/passwd";
/// A key of whoever types, in the environment: arguments are seen by others.
const KEY: &str = "BERTILLON_KEY";

/// Who asks, as the operating system has it: the account that the program runs as, whatever the environment says. Whoever can
/// write the data folder owns it, and is not bound by roles (docs/ROLES.md).
/// One caller a process: whether anything was told of it is known at its end.
#[must_use]
pub fn caller() -> Caller {
    static CALLER: OnceLock<Caller> = OnceLock::new();
    CALLER.get_or_init(look).clone()
}

/// The user whose key the environment has, else [`caller`]: for what takes two people, which one account can't be.
///
/// # Errors
/// When the key counts for nobody.
pub async fn person(desk: &Desk) -> Result<Caller> {
    let Some(key) = std::env::var_os(KEY) else { return Ok(caller()) };
    let Some(key) = key.to_str() else { bail!("what {KEY} has is no key") };
    match api_keys::recognise(desk, key.trim()).await? {
        Known::Yes(_, identity) => Ok(caller().being(identity)),
        Known::Never => bail!("nobody has the key in {KEY}"),
        Known::Revoked => bail!("the key in {KEY} was revoked: ask an administrator for a new one"),
        Known::Expired(at) => bail!("the key in {KEY} counted until {at}: ask an administrator for a new one"),
        Known::OwnerOut => bail!("the user whose key stands in {KEY} may not come in: ask an administrator"),
    }
}

/// Refuses a key that the command would not ask for: it does what the owner of the data folder may do, whoever types.
///
/// # Errors
/// When the environment has a key.
pub fn refuse_key() -> Result<()> {
    match std::env::var_os(KEY) {
        None => Ok(()),
        Some(_) => bail!("{KEY} is set, and this command is for the data folder's owner, not for a user: unset it"),
    }
}

fn look() -> Caller {
    let uid = rustix::process::getuid().as_raw();
    let accounts = fs_err::read_to_string(ACCOUNTS).unwrap_or_default();
    // Accounts of a directory service have no line there: the number stands for them.
    let user = name_of(uid, &accounts).map_or_else(|| format!("uid {uid}"), str::to_owned);
    let host = fs_err::read_to_string("/etc/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(64).collect();
    Caller::new(&user, &format!("command line of {host}"), None)
}

/// That a command was refused, or failed, is told where it left no event of its own: by its name, with nothing of what was
/// typed. Where there is no data folder that can be read there is nobody to tell.
pub async fn told_of_refusal(settings: &Settings, command: &'static str) {
    let caller = caller();
    if caller.recorded() > 0 {
        return;
    }
    let Ok(vault) = Vault::open(&settings.data.folder, Access::Reader, vault_options(settings)).await else { return };
    let refused = Happening::new(Kind::CommandRefused).with("command", Detail::Word(command)).ended(Outcome::Refused);
    if let Err(error) = vault.acting_for(&caller).tell(&refused).await {
        tracing::error!(%error, "that a command was refused could not be added to the audit log");
    }
    vault.close().await;
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
