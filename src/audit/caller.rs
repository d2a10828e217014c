//! Who acts: a name and a place that an event tells, what they may do, and a count of what was told of them already.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::ids::{GalleryName, UserName};
use crate::base::limits::AUDIT_WHO_BYTES_MAX;
use crate::base::text::printable;
use crate::rights::{Permission, Rights, Roles};

const NOT_SIGNED_IN: &str = "not signed in";
const ITSELF: &str = "the server itself";

/// A name and a place, as far as the system knows them: a user of ours, a user of the operating system, or nobody but an
/// address of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// A name, or what stands for one.
    pub actor: String,
    /// The command line of a machine, or a client's address.
    pub origin: String,
    /// The number of the request in the server's log, where there is one.
    pub request: Option<u64>,
}

/// A user who has shown who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Their number in the records.
    pub user: i64,
    /// Their name.
    pub name: UserName,
    /// The key by which they came, as keys are named.
    pub key: Option<String>,
    /// What they may do now.
    pub rights: Rights,
}

/// What somebody's word counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Whoever owns the data folder, at its own command line, and the program itself; also a program on this machine as
    /// long as there are no users.
    Owner,
    /// A user, by their rights.
    User(Box<Identity>),
    /// Nobody knows.
    Nobody,
}

/// Who acts, and how often that was recorded already. Clones are the same caller.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Acting>);

#[derive(Debug)]
struct Acting {
    who: Who,
    standing: Standing,
    recorded: Arc<AtomicU32>,
}

impl Caller {
    /// Somebody with a name, from somewhere. Both are cut at [`AUDIT_WHO_BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(actor: &str, origin: &str, request: Option<u64>) -> Self {
        Self::standing(Standing::Owner, actor, origin, request)
    }

    fn standing(standing: Standing, actor: &str, origin: &str, request: Option<u64>) -> Self {
        let short = |text: &str| {
            let text = printable(text);
            text.get(..text.floor_char_boundary(AUDIT_WHO_BYTES_MAX)).unwrap_or_default().to_owned()
        };
        let who = Who { actor: short(actor), origin: short(origin), request };
        Self(Arc::new(Acting { who, standing, recorded: Arc::default() }))
    }

    /// The program itself, because of something: `the start`, `segments changed`.
    #[must_use]
    pub fn itself(because: &str) -> Self {
        Self::new(ITSELF, because, None)
    }

    /// Somebody at a network address, who has not said who they are, and may do nothing.
    #[must_use]
    pub fn not_signed_in(peer: Option<SocketAddr>, request: u64) -> Self {
        Self::standing(Standing::Nobody, NOT_SIGNED_IN, &origin(peer), Some(request))
    }

    /// The same as long as there are no users: they may do everything.
    #[must_use]
    pub fn founder(peer: Option<SocketAddr>, request: u64) -> Self {
        Self::standing(Standing::Owner, NOT_SIGNED_IN, &origin(peer), Some(request))
    }

    /// A user at a network address.
    #[must_use]
    pub fn user(identity: Identity, peer: Option<SocketAddr>, request: u64) -> Self {
        let origin = match &identity.key {
            Some(key) => format!("{}, key {key}", origin(peer)),
            None => origin(peer),
        };
        let name = identity.name.clone();
        Self::standing(Standing::User(Box::new(identity)), name.as_str(), &origin, Some(request))
    }

    /// The user, if it is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match &self.0.standing {
            Standing::User(identity) => Some(identity),
            Standing::Owner | Standing::Nobody => None,
        }
    }

    /// The same place, and who it turned out to be: a user.
    #[must_use]
    pub fn being(&self, identity: Identity) -> Self {
        let who = Who { actor: identity.name.as_str().to_owned(), ..self.0.who.clone() };
        let (standing, recorded) = (Standing::User(Box::new(identity)), Arc::clone(&self.0.recorded));
        Self(Arc::new(Acting { who, standing, recorded }))
    }

    /// The name of the one person that this is: users and accounts of the operating system are people, an address and the
    /// program itself are not. No two people have one name: names of users are never used again.
    #[must_use]
    pub fn person(&self) -> Option<&str> {
        let name = self.0.who.actor.as_str();
        match &self.0.standing {
            Standing::User(_) => Some(name),
            Standing::Owner => Some(name).filter(|name| !["", NOT_SIGNED_IN, ITSELF].contains(&name.trim())),
            Standing::Nobody => None,
        }
    }

    /// The roles by which they may do something; for whoever owns the data folder, all that may.
    #[must_use]
    pub fn roles_for(&self, permission: Permission, gallery: Option<&GalleryName>) -> Roles {
        match &self.0.standing {
            Standing::Owner => Roles::of(permission.roles()),
            Standing::User(identity) => identity.rights.roles_for(permission, gallery),
            Standing::Nobody => Roles::default(),
        }
    }

    /// The galleries in which they may do something; `None` for all there are.
    #[must_use]
    pub fn galleries_for(&self, permission: Permission) -> Option<BTreeSet<GalleryName>> {
        match &self.0.standing {
            Standing::Owner => None,
            Standing::User(identity) => identity.rights.galleries_for(permission),
            Standing::Nobody => Some(BTreeSet::new()),
        }
    }

    /// Whether they may do something: in `gallery`, or where none is meant, in any.
    #[must_use]
    pub fn may(&self, permission: Permission, gallery: Option<&GalleryName>) -> bool {
        match &self.0.standing {
            Standing::Owner => true,
            Standing::User(identity) => identity.rights.allow(permission, gallery),
            Standing::Nobody => false,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.0.who
    }

    /// Events of this caller that are committed.
    #[must_use]
    pub fn recorded(&self) -> u32 {
        self.0.recorded.load(Ordering::Acquire)
    }

    /// Counts an event that was committed.
    pub fn was_recorded(&self) {
        self.0.recorded.fetch_add(1, Ordering::AcqRel);
    }
}

fn origin(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(|| "unknown".to_owned(), |peer| peer.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_made_printable() {
        let caller = Caller::new(&"é".repeat(AUDIT_WHO_BYTES_MAX), "a\nb", Some(3));
        assert!(caller.who().actor.len() <= AUDIT_WHO_BYTES_MAX);
        assert_eq!(caller.who().origin, "a\u{fffd}b");
        caller.clone().was_recorded();
        assert_eq!(caller.recorded(), 1);
    }

    #[test]
    fn who_is_nobody_may_nothing() {
        let peer = Some("127.0.0.1:5".parse().unwrap());
        let (nobody, founder) = (Caller::not_signed_in(peer, 1), Caller::founder(peer, 1));
        assert_eq!(nobody.who(), founder.who());
        assert!(!nobody.may(Permission::StatusRead, None) && founder.may(Permission::AuditRead, None));
        assert_eq!((nobody.person(), founder.person(), Caller::itself("x").person()), (None, None, None));
        let account = Caller::new("root", "command line", None);
        assert_eq!((account.person(), account.galleries_for(Permission::ReviewRead)), (Some("root"), None));
        let rights = Rights { grants: vec!["auditor".parse().unwrap()], limits: None };
        let identity = Identity { user: 3, name: "ada".parse().unwrap(), key: Some("00ff00ff".to_owned()), rights };
        let user = Caller::user(identity, peer, 2);
        assert!(user.may(Permission::AuditRead, None) && !user.may(Permission::SearchRun, None));
        assert_eq!((user.who().actor.as_str(), user.who().origin.as_str()), ("ada", "127.0.0.1, key 00ff00ff"));
        assert_eq!(user.identity().map(|identity| identity.user), Some(3));
        let known = account.being(user.identity().unwrap().clone());
        assert_eq!((known.person(), known.who().origin.as_str()), (Some("ada"), "command line"));
        assert!(!known.may(Permission::SearchRun, None), "bound by roles now");
        known.was_recorded();
        assert_eq!(account.recorded(), 1, "what is told of them is told of the account");
    }
}
