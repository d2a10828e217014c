//! `bertillon user totp`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::audit::Caller;
use crate::base::ids::UserName;
use crate::casework::Desk;
use crate::casework::access::factors::{self, Begun};
use crate::cli::print;
use crate::crypto::tokens::Secret;

/// A second factor: codes of six digits that an app makes anew every half minute (TOTP). Without a flag: what there is.
#[derive(Debug, Args)]
pub struct FactorArgs {
    /// Whose.
    name: UserName,
    /// Begin one: its secret is shown once. It counts when a first code was shown with --confirm.
    #[arg(long, conflicts_with_all = ["confirm", "remove"])]
    enrol: bool,
    /// The code that the app shows now. From then on each sign-in takes one; prints codes for paper, each of which counts once.
    #[arg(long, value_name = "CODE", conflicts_with = "remove")]
    confirm: Option<String>,
    /// Take it away, with its codes on paper.
    #[arg(long)]
    remove: bool,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Does what was asked for.
///
/// # Errors
/// What the rules for second factors say.
pub async fn run(desk: &Desk, caller: &Caller, args: FactorArgs) -> Result<()> {
    let FactorArgs { name, enrol, confirm, remove, json } = args;
    match (enrol, confirm, remove) {
        (true, ..) => {
            let begun = factors::begin(desk, caller, &name).await?;
            say_begun(&name, &begun, json)
        }
        (false, Some(code), _) => {
            let codes = factors::confirm(desk, caller, &name, &Secret::new(code)).await?;
            say_confirmed(&name, &codes, json)
        }
        (false, None, true) => {
            factors::remove(desk, caller, &name).await?;
            if json {
                return print::json(&json!({ "name": name.as_str(), "state": "none" }));
            }
            print::line(&format!("{name} has no second factor any more"))
        }
        (false, None, false) => say_state(desk, caller, &name, json).await,
    }
}

fn say_begun(name: &UserName, begun: &Begun, json: bool) -> Result<()> {
    let Begun { secret, uri } = begun;
    if json {
        return print::json(&json!({
            "name": name.as_str(), "state": "waits", "secret": secret.reveal(), "uri": uri.reveal(),
        }));
    }
    eprintln!("shown once; then: `bertillon user totp {name} --confirm CODE` with the code that the app shows");
    print::line(&format!("secret: {}", secret.reveal()))?;
    print::line(uri.reveal())
}

fn say_confirmed(name: &UserName, codes: &[Secret], json: bool) -> Result<()> {
    let codes: Vec<&str> = codes.iter().map(Secret::reveal).collect();
    if json {
        return print::json(&json!({ "name": name.as_str(), "state": "confirmed", "recovery_codes": codes }));
    }
    eprintln!(
        "{name} signs in with a code from now on. For when the telephone is gone, on paper; each counts once; shown once:"
    );
    codes.into_iter().try_for_each(print::line)
}

async fn say_state(desk: &Desk, caller: &Caller, name: &UserName, json: bool) -> Result<()> {
    let (factor, wanted) = factors::show(desk, caller, name).await?;
    let state = match &factor {
        None => "none",
        Some(factor) if factor.confirmed_at.is_none() => "waits",
        Some(_) => "confirmed",
    };
    let left = factor.as_ref().map_or(0, |factor| factor.recovery_left);
    if json {
        let since = factor.and_then(|factor| factor.confirmed_at);
        return print::json(&json!({
            "name": name.as_str(), "state": state, "confirmed_at": since, "recovery_codes_left": left, "wanted": wanted,
        }));
    }
    let what = match state {
        "none" => "has no second factor".to_owned(),
        "waits" => "has a second factor that waits for its first code".to_owned(),
        _confirmed => format!("signs in with a second factor; {left} codes on paper are left"),
    };
    let policy = if wanted { "; the policy in force wants one of them" } else { "" };
    print::line(&format!("{name} {what}{policy}"))
}
