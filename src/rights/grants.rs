//! Roles given to somebody, and what they come to with the limits of a key.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::base::ids::GalleryName;
use crate::rights::{Permission, RightsError, Role, Roles};

/// In which galleries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Within {
    /// In all there are and will be.
    All,
    /// In this one.
    Gallery(GalleryName),
}

impl Within {
    fn covers(&self, gallery: Option<&GalleryName>) -> bool {
        match (self, gallery) {
            (Self::All, _) | (Self::Gallery(_), None) => true,
            (Self::Gallery(own), Some(gallery)) => own == gallery,
        }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Gallery(name) => name.fmt(f),
        }
    }
}

impl FromStr for Within {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        if text == "*" { Ok(Self::All) } else { Ok(Self::Gallery(text.parse()?)) }
    }
}

/// A role in some galleries: `examiner`, or `examiner:custody`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// Which role.
    pub role: Role,
    /// In which galleries.
    pub within: Within,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.within {
            Within::All => self.role.fmt(f),
            Within::Gallery(name) => write!(f, "{}:{name}", self.role),
        }
    }
}

impl FromStr for Grant {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        let (role, within) = text.split_once(':').unwrap_or((text, "*"));
        Ok(Self { role: role.parse()?, within: within.parse()? })
    }
}

/// Refuses roles that one person may not have together.
///
/// # Errors
/// [`RightsError`] that names the rule.
pub fn check_grants(grants: &[Grant]) -> Result<(), RightsError> {
    let is_auditor = grants.iter().any(|grant| grant.role == Role::Auditor);
    if is_auditor && grants.iter().any(|grant| grant.role != Role::Auditor) {
        return Err(RightsError::AuditorAlone);
    }
    for Grant { role, within } in grants {
        match (role, within) {
            (Role::Auditor | Role::Administrator, Within::Gallery(_)) => return Err(RightsError::AllOnly(*role)),
            (Role::Evaluator, Within::All) => return Err(RightsError::NamedOnly),
            (_, Within::All | Within::Gallery(_)) => {}
        }
    }
    Ok(())
}

/// What a key leaves of its owner's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// These and no others.
    pub permissions: BTreeSet<Permission>,
    /// In these galleries only; `None` for wherever the owner may.
    pub galleries: Option<BTreeSet<GalleryName>>,
}

/// What somebody may do now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// By their roles.
    pub grants: Vec<Grant>,
    /// As far as the key goes by which they came; `None` without one.
    pub limits: Option<Limits>,
}

impl Rights {
    /// Whether something is allowed: in `gallery`, or where none is meant, in any.
    #[must_use]
    pub fn allow(&self, permission: Permission, gallery: Option<&GalleryName>) -> bool {
        self.granting(permission, gallery).next().is_some()
    }

    /// The roles by which something is allowed, as [`allow`](Self::allow) says it is.
    #[must_use]
    pub fn roles_for(&self, permission: Permission, gallery: Option<&GalleryName>) -> Roles {
        self.granting(permission, gallery).map(|grant| grant.role).collect()
    }

    /// The galleries in which something is allowed; `None` for all there are.
    #[must_use]
    pub fn galleries_for(&self, permission: Permission) -> Option<BTreeSet<GalleryName>> {
        let mut own = Some(BTreeSet::new());
        for grant in self.granting(permission, None) {
            match &grant.within {
                Within::All => own = None,
                Within::Gallery(name) => {
                    own.as_mut().map(|own| own.insert(name.clone()));
                }
            }
        }
        let limits = self.limits.as_ref().and_then(|limits| limits.galleries.as_ref());
        match (own, limits) {
            (Some(own), Some(limits)) => Some(own.intersection(limits).cloned().collect()),
            (None, Some(limits)) => Some(limits.clone()),
            (own, None) => own,
        }
    }

    /// The roles that allow something, as far as the key lets them.
    fn granting(&self, permission: Permission, gallery: Option<&GalleryName>) -> impl Iterator<Item = &Grant> {
        let limited = |limits: &Limits| {
            let here = |names: &BTreeSet<GalleryName>| gallery.is_none_or(|gallery| names.contains(gallery));
            limits.permissions.contains(&permission) && limits.galleries.as_ref().is_none_or(here)
        };
        let granted = move |grant: &&Grant| permission.roles().contains(&grant.role) && grant.within.covers(gallery);
        let let_through = self.limits.as_ref().is_none_or(limited);
        self.grants.iter().filter(move |_| let_through).filter(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Vec<Grant> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn gallery(text: &str) -> GalleryName {
        text.parse().unwrap()
    }

    #[test]
    fn some_roles_do_not_go_together() {
        let good: [&[&str]; 3] = [&["auditor"], &["examiner:a", "supervisor", "evaluator:b"], &[]];
        assert!(good.iter().all(|texts| check_grants(&grants(texts)).is_ok()));
        let bad = [
            (vec!["auditor", "examiner"], RightsError::AuditorAlone),
            (vec!["administrator", "auditor"], RightsError::AuditorAlone),
            (vec!["auditor:a"], RightsError::AllOnly(Role::Auditor)),
            (vec!["administrator:a"], RightsError::AllOnly(Role::Administrator)),
            (vec!["evaluator"], RightsError::NamedOnly),
        ];
        for (texts, error) in bad {
            assert_eq!(check_grants(&grants(&texts)), Err(error), "{texts:?}");
        }
        assert!("examiner:No Such".parse::<Grant>().is_err() && "chief".parse::<Grant>().is_err());
        assert_eq!(
            grants(&["examiner:a", "auditor"]).iter().map(Grant::to_string).collect::<Vec<_>>(),
            ["examiner:a", "auditor"]
        );
    }

    #[test]
    fn a_key_leaves_less_and_never_more() {
        let own = Rights { grants: grants(&["examiner:a", "supervisor:b"]), limits: None };
        assert!(own.allow(Permission::SearchRun, Some(&gallery("a"))));
        assert!(own.allow(Permission::ReferenceErase, Some(&gallery("b"))));
        assert!(!own.allow(Permission::ReferenceErase, Some(&gallery("a"))), "each role in its galleries");
        assert!(!own.allow(Permission::SearchRun, Some(&gallery("c"))));
        assert!(own.allow(Permission::SearchRun, None));
        assert_eq!(own.roles_for(Permission::SearchRun, Some(&gallery("a"))), Roles::of(&[Role::Examiner]));
        assert_eq!(own.roles_for(Permission::SearchRun, Some(&gallery("c"))), Roles::default());
        let names = |texts: &[&str]| Some(texts.iter().map(|text| gallery(text)).collect::<BTreeSet<_>>());
        assert_eq!(own.galleries_for(Permission::SearchRun), names(&["a", "b"]));
        assert_eq!(own.galleries_for(Permission::ReferenceErase), names(&["b"]));
        assert_eq!(own.galleries_for(Permission::AuditRead), names(&[]));
        let all = Rights { grants: grants(&["auditor"]), limits: None };
        assert_eq!(all.galleries_for(Permission::AuditRead), None);
        let limits = |permissions: &[Permission], galleries: Option<&[&str]>| Limits {
            permissions: permissions.iter().copied().collect(),
            galleries: galleries.map(|names| names.iter().map(|name| gallery(name)).collect()),
        };
        let key = Rights { limits: Some(limits(&[Permission::SearchRun], Some(&["b", "c"]))), ..own.clone() };
        assert!(key.allow(Permission::SearchRun, Some(&gallery("b"))));
        assert!(!key.allow(Permission::SearchRun, Some(&gallery("a"))), "not a gallery of the key");
        assert!(!key.allow(Permission::SearchRun, Some(&gallery("c"))), "not a gallery of the owner");
        assert!(!key.allow(Permission::ReferenceErase, Some(&gallery("b"))), "not a permission of the key");
        assert_eq!(key.galleries_for(Permission::SearchRun), names(&["b"]));
        assert_eq!(key.galleries_for(Permission::ReferenceErase), names(&[]));
        let greedy = Rights { limits: Some(limits(&Permission::ALL, None)), ..own };
        assert!(!greedy.allow(Permission::AuditRead, None), "not a permission of the owner");
        assert!(!Rights::default().allow(Permission::StatusRead, None));
    }
}
