//! Operating points that people approved. What they approved is signed: which point, by its hash, and who they were. A point whose
//! file or statement was changed afterwards is none of them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::casework::CaseworkError;
use crate::casework::governing::GoverningError;
use crate::casework::keys::{public_key, signing_key};
use crate::crypto::Signature;
use crate::evaluation::operating_point::OperatingPoint;
use crate::gallery::Vault;
use crate::records::governing::Adoption;

/// What is signed begins with it.
pub const SIGNED_AS: &str = "bertillon point 1";

/// What is signed. Keys in the order of the alphabet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// UTC, RFC 3339.
    pub adopted_at: String,
    /// Who approved it, in that order.
    pub approved_by: Vec<String>,
    /// Id of the data folder.
    pub folder: String,
    /// The point's name.
    pub point: String,
    /// By which proposal.
    pub proposal: i64,
    /// Who proposed it.
    pub proposed_by: String,
    /// Of the point's JSON.
    pub sha256: String,
}

/// Signs that a point was approved.
///
/// # Errors
/// [`CaseworkError::Key`].
pub(super) fn sign(data: &Path, statement: &Statement) -> Result<Adoption, CaseworkError> {
    let text = serde_json::to_string(statement).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let signature = signing_key(data)?.sign(SIGNED_AS, &text).to_string();
    Ok(Adoption::Point { statement: text, signature })
}

/// Who approved a point; `None` where nobody did.
///
/// # Errors
/// [`GoverningError::Changed`] where it is not the one that was approved, or its statement is not the one that was signed; what the
/// records say.
pub async fn approved(vault: &Vault, data: &Path, point: &OperatingPoint) -> Result<Option<Statement>, CaseworkError> {
    let Some(signed) = vault.governing_book().signed_point(&point.name).await? else { return Ok(None) };
    let changed = || GoverningError::Changed(format!("the operating point {:?}", point.name));
    let key = public_key(data)?.ok_or_else(changed)?;
    let signature = Signature::parse(&signed.signature).ok_or_else(changed)?;
    if !key.signed(SIGNED_AS, &signed.statement, &signature) {
        return Err(changed().into());
    }
    let statement: Statement = serde_json::from_str(&signed.statement).map_err(|_| changed())?;
    let sha256 = point.sha256().map_err(|error| CaseworkError::OperatingPoint(error.to_string()))?;
    if statement.point == point.name && statement.sha256 == sha256 {
        Ok(Some(statement))
    } else {
        Err(changed().into())
    }
}
