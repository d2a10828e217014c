//! The policy in force: the last one that two people adopted, or the built-in one.

use crate::base::hex;
use crate::casework::CaseworkError;
use crate::casework::governing::GoverningError;
use crate::gallery::Vault;
use crate::policy::Policy;
use crate::records::governing::PolicyVersion;

/// A policy, and which it is.
#[derive(Debug, Clone)]
pub struct InForce {
    /// From 1 in the order of adoption; 0 for the built-in one.
    pub number: i64,
    /// What it says.
    pub policy: Policy,
    /// Names it in records.
    pub sha256: [u8; 32],
}

impl InForce {
    fn of(number: i64, policy: Policy) -> Result<Self, CaseworkError> {
        let sha256 = policy.sha256().map_err(CaseworkError::Stopped)?;
        Ok(Self { number, policy, sha256 })
    }
}

/// The policy in force, read anew each time: what two people adopt counts from the next act on, in every process.
///
/// # Errors
/// What the records say; [`GoverningError::Changed`] where they have another text than the one that was approved.
pub async fn in_force(vault: &Vault) -> Result<InForce, CaseworkError> {
    match vault.governing_book().in_force().await? {
        Some(version) => adopted(&version),
        None => builtin(),
    }
}

/// The policy of that hash, if it is or was in force.
///
/// # Errors
/// As [`in_force`].
pub async fn of_hash(vault: &Vault, sha256: &str) -> Result<Option<InForce>, CaseworkError> {
    let built_in = builtin()?;
    if hex::encode(&built_in.sha256) == sha256 {
        return Ok(Some(built_in));
    }
    let versions = vault.governing_book().versions(usize::MAX).await?;
    versions.iter().find(|version| version.sha256 == sha256).map(adopted).transpose()
}

fn builtin() -> Result<InForce, CaseworkError> {
    InForce::of(0, Policy::builtin().map_err(|error| CaseworkError::Stopped(error.to_string()))?)
}

fn adopted(version: &PolicyVersion) -> Result<InForce, CaseworkError> {
    let place = format!("the policy of proposal {}", version.proposal);
    let read = Policy::parse(&version.body, &place).and_then(|policy| policy.consistent(&place));
    let found = InForce::of(version.number, read.map_err(|error| GoverningError::Unfit(error.to_string()))?)?;
    if hex::encode(&found.sha256) == version.sha256 { Ok(found) } else { Err(GoverningError::Changed(place).into()) }
}
