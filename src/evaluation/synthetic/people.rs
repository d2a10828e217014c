//! Who is in a synthetic population: groups, and who resembles whom. Known of each identity alone.

use crate::evaluation::random::{Stream, mix};
use crate::evaluation::synthetic::draws::normal;
use crate::evaluation::synthetic::parameters::{Group, Parameters, Relatives};

/// Identities from here on are of people who are never enrolled.
pub const OUTSIDERS: u64 = 1 << 40;
/// Identities of one block, in which there may be one cluster of look-alikes.
const BLOCK: u64 = 64;
/// Sizes of clusters: from 5, so many of them.
const CLUSTER_LEAST: u64 = 5;
const CLUSTER_SIZES: u64 = 46;
/// Their mean.
const CLUSTER_MEAN: f64 = 27.5;

/// What a stream of random numbers is for. The values are part of the generator.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Group, and how well somebody is recognised.
    Person = 0x5045_5253,
    /// Whether two neighbours are relatives.
    Pair = 0x5041_4952,
    /// Whether there is a cluster in a block.
    Cluster = 0x434C_5553,
    /// Whom somebody resembles who is not enrolled.
    Outsider = 0x4F55_5453,
    /// Directions: of groups, of clusters, of centroids, of templates, of very poor templates.
    GroupDirection = 0x4744_4952,
    ClusterDirection = 0x4344_4952,
    PersonDirection = 0x5044_4952,
    SampleDirection = 0x5344_4952,
    PoorDirection = 0x4C44_4952,
    /// Type, age, fidelity, quality, failure of a template.
    Sample = 0x5341_4D50,
}

impl Purpose {
    /// Stream `index` for this purpose.
    pub(super) fn stream(self, seed: u64, index: u64) -> Stream {
        Stream::new(mix(seed ^ self as u64), index)
    }
}

/// How two people resemble each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// Cosine of centroids 0.75 to 0.9.
    Twin,
    /// 0.2 to 0.35.
    Sibling,
    /// 0.3 to 0.49: for people who are not enrolled; those who are form clusters.
    LookAlike,
}

impl Kin {
    fn cosine(self, uniform: f64) -> f64 {
        match self {
            Self::Twin => 0.75 + 0.15 * uniform,
            Self::Sibling => 0.2 + 0.15 * uniform,
            Self::LookAlike => 0.3 + 0.19 * uniform,
        }
    }
}

/// Whom somebody resembles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relation {
    /// Nobody in particular.
    None,
    /// One of a cluster of look-alikes: the cosine with the cluster's centre, 0.55 to 0.7.
    Cluster {
        /// Number of the cluster.
        cluster: u64,
        /// Cosine of the centroid with the cluster's centre.
        cosine: f64,
    },
    /// Somebody's relative.
    Relative {
        /// How.
        kin: Kin,
        /// Whose.
        of: u64,
        /// Cosine of the two centroids.
        cosine: f64,
    },
    /// The same person as another identity.
    Duplicate {
        /// Which.
        of: u64,
    },
}

/// Somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    /// Place among the groups.
    pub group: usize,
    /// How well the person is recognised: 0 is average, 1 a deviation better.
    pub goat: f64,
    /// Whom the person resembles.
    pub relation: Relation,
}

/// Everybody.
#[derive(Debug, Clone)]
pub struct People {
    seed: u64,
    /// Enrolled identities: 0 to this, exclusive.
    enrolled: u32,
    relatives: Relatives,
    groups: Vec<Group>,
}

impl People {
    /// The people that `parameters` describe, of whom the first `enrolled` may be enrolled.
    #[must_use]
    pub fn new(parameters: &Parameters, seed: u64, enrolled: u32) -> Self {
        Self { seed, enrolled, relatives: parameters.relatives, groups: parameters.groups.clone() }
    }

    /// Who `identity` is.
    #[must_use]
    pub fn person(&self, identity: u64) -> Person {
        let relation = self.relation(identity);
        match relation {
            // Relatives are of one group, and a duplicate is the same person.
            Relation::Duplicate { of } => Person { relation, ..self.person(of) },
            Relation::Relative { of, .. } => {
                let (_, goat) = self.own(identity);
                Person { group: self.person(of).group, goat, relation }
            }
            Relation::Cluster { cluster, .. } => {
                let (_, goat) = self.own(identity);
                Person { group: self.group_of_cluster(cluster), goat, relation }
            }
            Relation::None => {
                let (group, goat) = self.own(identity);
                Person { group, goat, relation }
            }
        }
    }

    /// Group of a cluster of look-alikes.
    #[must_use]
    pub fn group_of_cluster(&self, cluster: u64) -> usize {
        let mut stream = Purpose::Cluster.stream(self.seed, cluster);
        let (_exists, _size, _start) = (stream.bits(), stream.bits(), stream.bits());
        self.group(stream.uniform())
    }

    fn own(&self, identity: u64) -> (usize, f64) {
        let mut stream = Purpose::Person.stream(self.seed, identity);
        let group = self.group(stream.uniform());
        (group, normal(&mut stream))
    }

    fn group(&self, uniform: f64) -> usize {
        let mut below = 0.0;
        let place = self.groups.iter().position(|group| {
            below += group.share;
            uniform < below
        });
        place.unwrap_or(self.groups.len() - 1)
    }

    fn relation(&self, identity: u64) -> Relation {
        if identity >= OUTSIDERS {
            return self.relation_of_outsider(identity);
        }
        if let Some(cluster) = self.cluster(identity) {
            let mut stream = Purpose::Pair.stream(self.seed, identity ^ OUTSIDERS);
            return Relation::Cluster { cluster, cosine: 0.55 + 0.15 * stream.uniform() };
        }
        // Two neighbours may be relatives: the second is made after the first.
        let first = identity & !1;
        if identity == first || self.cluster(first).is_some() {
            return Relation::None;
        }
        let mut stream = Purpose::Pair.stream(self.seed, first);
        let Relatives { twins, siblings, look_alikes: _, duplicates } = self.relatives;
        let uniform = stream.uniform();
        match self.kin(uniform) {
            Some(kin) => Relation::Relative { kin, of: first, cosine: kin.cosine(stream.uniform()) },
            None if uniform < twins + siblings + duplicates => Relation::Duplicate { of: first },
            None => Relation::None,
        }
    }

    fn kin(&self, uniform: f64) -> Option<Kin> {
        if uniform < self.relatives.twins {
            Some(Kin::Twin)
        } else if uniform < self.relatives.twins + self.relatives.siblings {
            Some(Kin::Sibling)
        } else {
            None
        }
    }

    /// People who are not enrolled have relatives among those who are, as often as those have; no duplicates, who would be mated.
    fn relation_of_outsider(&self, identity: u64) -> Relation {
        let Relatives { twins, siblings, look_alikes, duplicates: _ } = self.relatives;
        let mut stream = Purpose::Outsider.stream(self.seed, identity);
        let uniform = stream.uniform();
        let like = (uniform < twins + siblings + look_alikes).then_some(Kin::LookAlike);
        match self.kin(uniform).or(like) {
            Some(kin) => {
                let of = stream.bits().checked_rem(u64::from(self.enrolled)).unwrap_or_default();
                Relation::Relative { kin, of, cosine: kin.cosine(stream.uniform()) }
            }
            None => Relation::None,
        }
    }

    /// The cluster of look-alikes that an enrolled identity belongs to.
    fn cluster(&self, identity: u64) -> Option<u64> {
        let cluster = identity / BLOCK;
        let mut stream = Purpose::Cluster.stream(self.seed, cluster);
        let exists = stream.uniform() < self.relatives.look_alikes * BLOCK as f64 / CLUSTER_MEAN;
        let size = CLUSTER_LEAST + stream.bits() % CLUSTER_SIZES;
        let start = stream.bits() % BLOCK;
        let place = (identity % BLOCK + BLOCK - start) % BLOCK;
        (exists && place < size).then_some(cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::synthetic::Preset;

    fn people(relatives: Relatives, groups: usize) -> People {
        let mut parameters = Preset::Mugshot.parameters().lifelike(groups).unwrap();
        parameters.relatives = relatives;
        People::new(&parameters, 7, 100_000)
    }

    #[test]
    fn shares_of_groups_and_relatives_are_those_asked_for() {
        let relatives = Relatives { twins: 0.1, siblings: 0.2, look_alikes: 0.15, duplicates: 0.05 };
        let people = people(relatives, 4);
        let n = 100_000_u32;
        let mut counts = [0_u32; 4];
        let mut groups = [0_u32; 4];
        for identity in 0..n {
            let person = people.person(u64::from(identity));
            groups[person.group] += 1;
            match person.relation {
                // Two of each pair.
                Relation::Relative { kin: Kin::Twin, .. } => counts[0] += 2,
                Relation::Relative { kin: Kin::Sibling, .. } => counts[1] += 2,
                Relation::Cluster { .. } => counts[2] += 1,
                Relation::Duplicate { .. } => counts[3] += 2,
                Relation::None | Relation::Relative { kin: Kin::LookAlike, .. } => {}
            }
        }
        let share = |count: u32| f64::from(count) / f64::from(n);
        assert!((share(counts[2]) - 0.15).abs() < 0.015, "{counts:?}");
        // Pairs are those of whom neither is in a cluster: about 0.84 of all.
        for (count, wanted) in [(counts[0], 0.1), (counts[1], 0.2), (counts[3], 0.05)] {
            assert!((share(count) / (0.845 * wanted) - 1.0).abs() < 0.1, "{counts:?}");
        }
        // A cluster is of one group, which makes the groups' counts less even.
        assert!(groups.iter().all(|&count| (share(count) - 0.25).abs() < 0.02), "{groups:?}");
    }

    #[test]
    fn whom_somebody_resembles_comes_first_and_is_of_the_same_group() {
        let people = people(Relatives { twins: 0.2, siblings: 0.2, look_alikes: 0.2, duplicates: 0.2 }, 5);
        for identity in (0..5_000).chain(OUTSIDERS..OUTSIDERS + 5_000) {
            let person = people.person(identity);
            match person.relation {
                Relation::Relative { of, .. } => {
                    assert!(of < 100_000 && of < identity);
                    assert_eq!(people.person(of).group, person.group);
                }
                Relation::Duplicate { of } => {
                    assert!(identity < OUTSIDERS && of + 1 == identity);
                    assert_eq!(people.person(of), Person { relation: Relation::None, ..person });
                }
                Relation::Cluster { cluster, .. } => assert_eq!(cluster, identity / BLOCK),
                Relation::None => {}
            }
        }
    }

    #[test]
    fn nobody_resembles_anybody_when_that_is_switched_off() {
        let people = people(Relatives::default(), 3);
        let all = (0..10_000).chain(OUTSIDERS..OUTSIDERS + 10_000);
        assert!(all.map(|identity| people.person(identity)).all(|person| person.relation == Relation::None));
    }
}
