//! `bertillon user sso`.

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use crate::audit::Caller;
use crate::base::ids::UserName;
use crate::casework::Desk;
use crate::casework::access::sso;
use crate::cli::print;
use crate::records::IdentityRecord;

/// Who a user is at a provider (OpenID Connect). Nobody comes in who is known there alone. Without a flag: who they are.
#[derive(Debug, Args)]
pub struct SsoArgs {
    /// Whose.
    name: UserName,
    /// What the provider calls them for good: the claim `sub` of its tokens.
    #[arg(long)]
    subject: Option<String>,
    /// The provider's address; that of the settings when not given.
    #[arg(long, requires = "subject")]
    issuer: Option<String>,
    /// They are not, or not any more; their sessions end.
    #[arg(long, requires = "subject")]
    remove: bool,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Does what was asked for, and says who they are then.
///
/// # Errors
/// What the rules for identities say.
pub async fn run(desk: &Desk, caller: &Caller, args: SsoArgs) -> Result<()> {
    let SsoArgs { name, subject, issuer, remove, json } = args;
    if let Some(subject) = subject {
        let issuer = issuer.or_else(|| desk.settings.sso.issuer.clone());
        let issuer = issuer.context("the settings name no provider (`sso.issuer`): say which with --issuer")?;
        let identity = (issuer.as_str(), subject.as_str());
        if remove {
            sso::unlink(desk, caller, &name, identity).await?;
        } else {
            sso::link(desk, caller, &name, identity).await?;
        }
    }
    let found = sso::list(desk, caller, &name).await?;
    if json {
        let shape =
            |one: &IdentityRecord| json!({ "issuer": one.issuer, "subject": one.subject, "linked_at": one.linked_at });
        let identities: Vec<_> = found.iter().map(shape).collect();
        return print::json(&json!({ "name": name.as_str(), "identities": identities }));
    }
    if found.is_empty() {
        print::line(&format!("{name} signs in at no provider"))?;
    }
    found.iter().try_for_each(|one| {
        print::line(&format!("{name} is {} at {}, since {}", one.subject, one.issuer, one.linked_at))
    })
}
