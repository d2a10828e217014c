//! Who is enrolled, who is searched for, and what is left out: declared before anything is measured, drawn by a seed.

use serde::{Deserialize, Serialize};

use crate::evaluation::manifest::{Manifest, Role};
use crate::evaluation::random::Stream;

/// Streams of the seed: who is not enrolled, and in which order the others are.
const NON_MATED_STREAM: u64 = 0x6E6F_6E6D;
const ORDER_STREAM: u64 = 0x6F72_6465;
/// Smallest gallery of its own.
const SMALLEST_GALLERY: usize = 10;

/// How many images of a person are enrolled, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolment {
    /// The earliest image of each person.
    OneImage,
    /// All images meant for the gallery, under one identity.
    Consolidated,
    /// All of them, each as if it were somebody of its own.
    Unconsolidated,
}

impl Enrolment {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::OneImage => "one image a person, the earliest",
            Self::Consolidated => "all gallery images of a person under one identity",
            Self::Unconsolidated => "each gallery image an entry of its own",
        }
    }
}

/// The rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// How many images of a person are enrolled.
    pub enrolment: Enrolment,
    /// Share of people who are not enrolled: their searches are the non-mated ones.
    pub non_mated_share: f64,
    /// People in each nested gallery, ascending; the whole one is always added.
    pub sizes: Vec<usize>,
    /// Seed of whatever is drawn.
    pub seed: u64,
}

/// Who does what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// People who are to be enrolled, in an order drawn by the seed: the first N are the nested gallery of N.
    pub enrolled: Vec<u32>,
    /// Gallery images of each of them, in the same order: places in the manifest.
    pub gallery: Vec<Vec<usize>>,
    /// Probes whose person is to be enrolled.
    pub mated: Vec<usize>,
    /// Probes whose person is not.
    pub non_mated: Vec<usize>,
    /// How many of those would have been enrolled: their people have no other picture to search with.
    pub gallery_as_probes: u64,
    /// Sizes of the nested galleries, ascending; the last is all of `enrolled`.
    pub sizes: Vec<usize>,
    /// What is left out, why, and how often.
    pub exclusions: Vec<(String, u64)>,
}

/// Rules that leave nothing to measure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProtocolError {
    /// A share that is none.
    #[error("a share of non-mated people of {0}: give 0 to 0.9")]
    Share(f64),
    /// Nobody to enrol.
    #[error("nobody is left to enrol among {0} people: a smaller share of non-mated people is wanted")]
    NobodyEnrolled(usize),
    /// A nested gallery that can't be had.
    #[error(
        "a gallery of {asked} people was asked for, {least} to {most} can be had: {most} are to be enrolled (ask for other --sizes)"
    )]
    Size {
        /// People asked for.
        asked: usize,
        /// Fewest people of a gallery.
        least: usize,
        /// People who are to be enrolled.
        most: usize,
    },
    /// Nothing to search with.
    #[error(
        "no image is left to search with: a person's earliest image is enrolled, so people with two images or non-mated people are wanted"
    )]
    NoProbes,
}

impl Protocol {
    /// Draws who does what.
    ///
    /// # Errors
    /// [`ProtocolError`] when nothing would be left to measure.
    pub fn split(&self, manifest: &Manifest) -> Result<Split, ProtocolError> {
        let Self { enrolment, non_mated_share, sizes, seed } = self;
        if !(0.0..=0.9).contains(non_mated_share) {
            return Err(ProtocolError::Share(*non_mated_share));
        }
        let mut left_out = LeftOut::default();
        let people = images_by_person(manifest, *enrolment, &mut left_out);
        // Whoever has no gallery picture is declared to be outside; of the others the seed draws a share.
        let (declared, others): (Vec<usize>, Vec<usize>) =
            (0..people.len()).partition(|&place| people.get(place).is_some_and(|person| person.gallery.is_empty()));
        let non_mated_people = (others.len() as f64 * non_mated_share).round() as usize;
        let drawn = shuffled(others, *seed, NON_MATED_STREAM);
        let (outside, inside) = drawn.split_at(non_mated_people.min(drawn.len()));
        let outside = [outside, &declared].concat();
        let mut inside: Vec<usize> = inside.to_vec();
        inside.sort_unstable();
        let inside = shuffled(inside, *seed, ORDER_STREAM);
        let mut split = Split {
            enrolled: Vec::new(),
            gallery: Vec::new(),
            mated: Vec::new(),
            non_mated: Vec::new(),
            gallery_as_probes: 0,
            sizes: Vec::new(),
            exclusions: Vec::new(),
        };
        for person in inside.iter().filter_map(|&place| people.get(place)) {
            split.enrolled.push(person.subject);
            split.gallery.push(person.gallery.clone());
            split.mated.extend(&person.probes);
        }
        for person in outside.iter().filter_map(|&place| people.get(place)) {
            // Someone with a single image is searched with that: no other use of it is left.
            let probes = if person.probes.is_empty() { &person.gallery } else { &person.probes };
            left_out.gallery_of_non_mated +=
                person.gallery.len() as u64 - if person.probes.is_empty() { probes.len() as u64 } else { 0 };
            split.non_mated.extend(probes);
            split.gallery_as_probes += if person.probes.is_empty() { probes.len() as u64 } else { 0 };
        }
        split.mated.sort_unstable();
        split.non_mated.sort_unstable();
        if split.enrolled.is_empty() {
            return Err(ProtocolError::NobodyEnrolled(people.len()));
        }
        if split.mated.is_empty() && split.non_mated.is_empty() {
            return Err(ProtocolError::NoProbes);
        }
        let most = split.enrolled.len();
        let least = SMALLEST_GALLERY.min(most);
        if let Some(&asked) = sizes.iter().find(|&&size| !(least..=most).contains(&size)) {
            return Err(ProtocolError::Size { asked, least, most });
        }
        split.sizes.clone_from(sizes);
        split.sizes.push(most);
        split.sizes.sort_unstable();
        split.sizes.dedup();
        split.exclusions = left_out.in_words();
        Ok(split)
    }
}

/// Galleries of a hundredth and a tenth of the people who are to be enrolled, where these are enough for one.
#[must_use]
pub fn usual_sizes(enrolled: usize) -> Vec<usize> {
    [enrolled / 100, enrolled / 10].into_iter().filter(|&size| size >= SMALLEST_GALLERY).collect()
}

/// One person's images, and what they are for.
struct Person {
    subject: u32,
    gallery: Vec<usize>,
    probes: Vec<usize>,
}

#[derive(Default)]
struct LeftOut {
    later_gallery_images: u64,
    gallery_of_non_mated: u64,
}

impl LeftOut {
    fn in_words(&self) -> Vec<(String, u64)> {
        let all = [
            ("gallery images beside the earliest of a person", self.later_gallery_images),
            ("gallery images of people who are not enrolled", self.gallery_of_non_mated),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| (what.to_owned(), count)).collect()
    }
}

/// Everybody's images by their use. Where the manifest gives no role, a person's earliest image is for the gallery and the others
/// are probes.
fn images_by_person(manifest: &Manifest, enrolment: Enrolment, left_out: &mut LeftOut) -> Vec<Person> {
    let mut by_subject: Vec<Vec<usize>> = vec![Vec::new(); manifest.subjects.len()];
    for (place, image) in manifest.images.iter().enumerate() {
        if let Some(images) = by_subject.get_mut(image.subject as usize) {
            images.push(place);
        }
    }
    let mut people = Vec::with_capacity(by_subject.len());
    for (subject, mut images) in by_subject.into_iter().enumerate() {
        let at = |place: usize| manifest.images.get(place);
        // Without a date or a session, the manifest's order is taken for that of time.
        images.sort_by_key(|&place| at(place).map(|image| (&image.captured, &image.session, place)));
        let role = |place: usize| at(place).and_then(|image| image.role);
        let any_gallery = images.iter().any(|&place| role(place) == Some(Role::Gallery));
        let last = images.last().copied();
        let (mut gallery, mut probes) = (Vec::new(), Vec::new());
        for place in images {
            match role(place) {
                Some(Role::Gallery) => gallery.push(place),
                // Where all are enrolled, the latest is left to search with.
                None if !any_gallery
                    && (gallery.is_empty() || (enrolment != Enrolment::OneImage && Some(place) != last)) =>
                {
                    gallery.push(place);
                }
                Some(Role::Probe) | None => probes.push(place),
            }
        }
        if enrolment == Enrolment::OneImage && gallery.len() > 1 {
            left_out.later_gallery_images += gallery.len() as u64 - 1;
            gallery.truncate(1);
        }
        people.push(Person { subject: subject as u32, gallery, probes });
    }
    people
}

/// Fisher and Yates's shuffle, the same everywhere.
fn shuffled(mut places: Vec<usize>, seed: u64, stream: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, stream);
    for last in (1..places.len()).rev() {
        // The bias of the remainder is below 2^-40 for any list that fits here.
        let other = (stream.bits() % (last as u64 + 1)) as usize;
        places.swap(last, other);
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluation::manifest::ImageEntry;

    fn manifest(images: &[(u32, Option<Role>, &str)]) -> Manifest {
        let people = images.iter().map(|(subject, ..)| subject + 1).max().unwrap_or(0);
        let entry = |(place, (subject, role, captured)): (usize, &(u32, Option<Role>, &str))| ImageEntry {
            line: place as u64 + 2,
            path: format!("{place}.jpg").into(),
            name: format!("{place}.jpg"),
            subject: *subject,
            session: String::new(),
            kind: String::new(),
            captured: (*captured).to_owned(),
            role: *role,
            groups: Vec::new(),
        };
        Manifest {
            path: "made up".into(),
            sha256: String::new(),
            subjects: (0..people).map(|person| format!("p{person}")).collect(),
            columns: Vec::new(),
            images: images.iter().enumerate().map(entry).collect(),
        }
    }

    fn protocol(enrolment: Enrolment, non_mated_share: f64, seed: u64) -> Protocol {
        Protocol { enrolment, non_mated_share, sizes: Vec::new(), seed }
    }

    #[test]
    fn the_earliest_image_is_enrolled_where_no_role_is_given() {
        let images = manifest(&[(0, None, "2020-05-01"), (0, None, "2019-05-01"), (0, None, "2021-05-01")]);
        let split = protocol(Enrolment::OneImage, 0.0, 1).split(&images).unwrap();
        assert_eq!((split.gallery, split.mated, split.sizes), (vec![vec![1]], vec![0, 2], vec![1]));
    }

    #[test]
    fn roles_decide_where_they_are_given() {
        use Role::{Gallery, Probe};
        let images =
            manifest(&[(0, Some(Gallery), "2"), (0, Some(Gallery), "1"), (0, Some(Probe), ""), (1, Some(Probe), "")]);
        let one = protocol(Enrolment::OneImage, 0.0, 1).split(&images).unwrap();
        assert_eq!((&one.gallery, &one.mated, &one.non_mated), (&vec![vec![1]], &vec![2], &vec![3]));
        assert_eq!(one.exclusions.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1]);
        let all = protocol(Enrolment::Consolidated, 0.0, 1).split(&images).unwrap();
        assert_eq!((all.gallery, all.exclusions.len()), (vec![vec![1, 0]], 0));
    }

    #[test]
    fn rules_that_leave_nothing_are_refused() {
        let images = manifest(&[(0, None, "")]);
        assert_eq!(protocol(Enrolment::OneImage, 0.0, 1).split(&images), Err(ProtocolError::NoProbes));
        assert_eq!(protocol(Enrolment::OneImage, 0.95, 1).split(&images), Err(ProtocolError::Share(0.95)));
        assert_eq!(protocol(Enrolment::OneImage, 0.6, 1).split(&images), Err(ProtocolError::NobodyEnrolled(1)));
    }

    #[test]
    fn a_gallery_that_cant_be_had_is_refused_and_never_left_out() {
        let people: Vec<_> = (0..60).flat_map(|person| [(person, None, ""), (person, None, "")]).collect();
        let images = manifest(&people);
        let sizes = |share, sizes: &[usize]| {
            let rules = Protocol { sizes: sizes.to_vec(), ..protocol(Enrolment::OneImage, share, 1) };
            rules.split(&images).map(|split| split.sizes)
        };
        assert_eq!(sizes(0.5, &[30, 10, 29, 10]), Ok(vec![10, 29, 30]));
        for asked in [0, 9, 31, 100_000] {
            let refused = sizes(0.5, &[20, asked]).unwrap_err();
            assert_eq!(refused, ProtocolError::Size { asked, least: 10, most: 30 });
            let words = refused.to_string();
            assert!(words.contains(&format!("a gallery of {asked} people")) && words.contains("10 to 30"), "{words}");
        }
        // A whole gallery of fewer than ten is there anyhow.
        assert_eq!(sizes(0.9, &[]), Ok(vec![6]));
        assert_eq!(sizes(0.9, &[5]), Err(ProtocolError::Size { asked: 5, least: 6, most: 6 }));
        assert_eq!((usual_sizes(99), usual_sizes(100), usual_sizes(5_000)), (vec![], vec![10], vec![50, 500]));
    }

    proptest! {
        #[test]
        fn nobody_is_on_both_sides_and_every_image_is_accounted_for(
            people in prop::collection::vec((1_u32..5, any::<bool>()), 1..60),
            share in 0.0..0.9_f64,
            seed in any::<u64>(),
            enrolment in prop::sample::select(vec![Enrolment::OneImage, Enrolment::Consolidated, Enrolment::Unconsolidated]),
        ) {
            let mut images = Vec::new();
            for (person, (count, roles)) in people.iter().enumerate() {
                for image in 0..*count {
                    let role = roles.then_some(if image % 2 == 0 { Role::Gallery } else { Role::Probe });
                    images.push((person as u32, role, ""));
                }
            }
            let images = manifest(&images);
            let Ok(split) = protocol(enrolment, share, seed).split(&images) else { return Ok(()) };
            prop_assert_eq!(&split, &protocol(enrolment, share, seed).split(&images).unwrap());
            let subject = |place: &usize| images.images[*place].subject;
            for (person, gallery) in split.enrolled.iter().zip(&split.gallery) {
                prop_assert!(!gallery.is_empty() && gallery.iter().all(|place| subject(place) == *person));
            }
            prop_assert!(split.mated.iter().all(|place| split.enrolled.contains(&subject(place))));
            prop_assert!(split.non_mated.iter().all(|place| !split.enrolled.contains(&subject(place))));
            let mut used: Vec<usize> =
                split.gallery.iter().flatten().chain(&split.mated).chain(&split.non_mated).copied().collect();
            let left_out: u64 = split.exclusions.iter().map(|(_, count)| count).sum();
            prop_assert_eq!(used.len() as u64 + left_out, images.images.len() as u64);
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len() as u64 + left_out, images.images.len() as u64, "no image is used twice");
            prop_assert!(split.sizes.is_sorted() && split.sizes.last() == Some(&split.enrolled.len()));
        }
    }
}
