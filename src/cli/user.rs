//! `bertillon user`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde::Serialize;

use crate::base::ids::UserName;
use crate::casework::access::{passwords, users};
use crate::cli::as_whom::caller;
use crate::cli::second_factor::{self, FactorArgs};
use crate::cli::sso::{self, SsoArgs};
use crate::cli::{desk_of_people, print, secret};
use crate::records::{UserRecord, UserState};
use crate::rights::{Grant, Permission, Rights};
use crate::settings::Settings;

/// Users: people, and programs that act for themselves. A role is `examiner`, or `examiner:GALLERY` for one gallery only.
///
/// Roles: submitter, examiner, verifier, supervisor, evaluator (always with a gallery), auditor (who is nothing else),
/// administrator (who can't read the audit log over the network). docs/ROLES.md says what each may do.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user. From the first one on, a server answers nobody without a key.
    Add {
        /// Name: a-z, 0-9, '.', '-' and '_', beginning with a letter. Never used again.
        name: UserName,
        /// Full name, or what a program is for.
        #[arg(long, default_value = "")]
        display: String,
        /// A role; may be repeated.
        #[arg(long = "role", value_name = "ROLE[:GALLERY]")]
        roles: Vec<Grant>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// One line a user.
    List {
        /// Fail where somebody has roles that don't go together.
        #[arg(long)]
        check: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a user, and what they may do.
    Show {
        /// Who.
        name: UserName,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take and give roles, in this order. It counts from the next request on.
    Role {
        /// Whose.
        name: UserName,
        /// A role to take; may be repeated.
        #[arg(long, value_name = "ROLE[:GALLERY]")]
        withdraw: Vec<Grant>,
        /// A role to give; may be repeated.
        #[arg(long, value_name = "ROLE[:GALLERY]")]
        grant: Vec<Grant>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep a user and their keys out, until they are unlocked.
    Lock {
        /// Whom.
        name: UserName,
    },
    /// Let a locked user in again, also one who typed too many wrong passwords.
    Unlock {
        /// Whom.
        name: UserName,
    },
    /// Give a user a password: read from a file, or typed at the terminal.
    Password {
        /// Whom.
        name: UserName,
        /// File whose first line it is; - for standard input.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// A second factor: codes of an app, asked for beside the password.
    Totp(FactorArgs),
    /// Who a user is at the provider of the settings, where they sign in.
    Sso(SsoArgs),
    /// Let a user go for good: their keys and password count no more. Their name stays, since events have it.
    Leave {
        /// Whom.
        name: UserName,
    },
}

/// A user as `--json` shows them.
#[derive(Debug, Serialize)]
struct UserShape {
    id: i64,
    name: String,
    display: String,
    state: &'static str,
    locked_until: Option<String>,
    created_at: String,
    roles: Vec<String>,
    permissions: Vec<&'static str>,
    fault: Option<String>,
}

impl UserShape {
    fn new(user: &UserRecord, fault: Option<&String>) -> Self {
        let UserRecord { id, name, display, state, locked_until, created_at, grants } = user;
        let rights = Rights { grants: grants.clone(), limits: None };
        let permissions = Permission::ALL.into_iter().filter(|permission| rights.allow(*permission, None));
        Self {
            id: *id,
            name: name.to_string(),
            display: display.clone(),
            state: state.as_str(),
            locked_until: locked_until.clone(),
            created_at: created_at.clone(),
            roles: grants.iter().map(Grant::to_string).collect(),
            permissions: permissions.map(Permission::as_str).collect(),
            fault: fault.cloned(),
        }
    }
}

/// Carries out one of the user commands.
///
/// # Errors
/// What the rules for users say, and for `list --check` when somebody breaks one.
pub async fn run(settings: Settings, command: UserCommand) -> Result<()> {
    let desk = desk_of_people(settings).await?;
    let (caller, state) = (caller(), UserState::as_str);
    match command {
        UserCommand::Add { name, display, roles, json } => {
            let user = users::add(&desk, &caller, &name, &display, &roles).await?;
            if !json {
                eprintln!("a server answers {name} by a key: `bertillon key create {name}`");
            }
            say(&user, json)
        }
        UserCommand::List { check, json } => {
            let all = users::list(&desk, &caller).await?;
            if json {
                let shapes: Vec<_> = all.iter().map(|(user, fault)| UserShape::new(user, fault.as_ref())).collect();
                print::json(&shapes)?;
            } else if all.is_empty() {
                print::line("no users: a server answers every program on this machine")?;
            }
            for (user, fault) in all.iter().filter(|_| !json) {
                let fault = fault.as_ref().map(|fault| format!("  WRONG: {fault}")).unwrap_or_default();
                print::line(&format!("{}{fault}", in_a_line(user)))?;
            }
            match all.iter().find(|(_, fault)| check && fault.is_some()) {
                Some((user, _)) => bail!("{} has roles that don't go together", user.name),
                None => Ok(()),
            }
        }
        UserCommand::Show { name, json } => say(&users::show(&desk, &caller, &name).await?, json),
        UserCommand::Role { name, withdraw, grant, json } => {
            if withdraw.is_empty() && grant.is_empty() {
                bail!("say which role with --grant or --withdraw");
            }
            say(&users::change_roles(&desk, &caller, &name, (&withdraw, &grant)).await?, json)
        }
        UserCommand::Password { name, from } => {
            let password = secret::new_password(from.as_deref())?;
            passwords::set(&desk, &caller, &name, password).await?;
            print::line(&format!("{name} has a new password"))
        }
        UserCommand::Sso(args) => sso::run(&desk, &caller, args).await,
        UserCommand::Totp(args) => second_factor::run(&desk, &caller, args).await,
        UserCommand::Lock { name } => {
            let user = users::set_state(&desk, &caller, &name, UserState::Locked).await?;
            print::line(&format!("{name} is {}", state(user.state)))
        }
        UserCommand::Unlock { name } => {
            let user = users::set_state(&desk, &caller, &name, UserState::Active).await?;
            print::line(&format!("{name} is {}", state(user.state)))
        }
        UserCommand::Leave { name } => {
            users::set_state(&desk, &caller, &name, UserState::Left).await?;
            print::line(&format!("{name} has left; keys and password count no more"))
        }
    }
}

fn say(user: &UserRecord, as_json: bool) -> Result<()> {
    let shape = UserShape::new(user, None);
    if as_json {
        return print::json(&shape);
    }
    print::line(&in_a_line(user))?;
    let may = if shape.permissions.is_empty() { "nothing".to_owned() } else { shape.permissions.join(", ") };
    print::line(&format!("may: {may}"))
}

fn in_a_line(user: &UserRecord) -> String {
    let UserRecord { name, display, state, locked_until, grants, .. } = user;
    let roles: Vec<String> = grants.iter().map(Grant::to_string).collect();
    let roles = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
    let until = locked_until.as_ref().map(|until| format!(", no password counts before {until}")).unwrap_or_default();
    format!("{name:<20} {:<7} {roles}  {display}{until}", state.as_str())
}
