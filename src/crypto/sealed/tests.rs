//! Every change of a sealed blob is seen, and where it is said.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn key(seed: u8) -> NamedKey {
    NamedKey { id: KeyId([seed; 16]), key: SecretKey::new([seed; 32]) }
}

fn plain(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|place| (place * 31 + place / 251) as u8).collect()
}

fn sealed(kind: BlobKind, key: &NamedKey, plain: &[u8]) -> Vec<u8> {
    let sealer = BlobSealer::new(kind, key, plain.len() as u64).unwrap();
    let mut blob = sealer.header().to_vec();
    for (index, chunk) in plain.chunks(CHUNK_BYTES).enumerate() {
        let (at, bytes) = sealer.chunk(index as u64, chunk).unwrap();
        assert_eq!(at, blob.len() as u64);
        blob.extend(bytes);
    }
    assert_eq!(blob.len() as u64, sealer.file_bytes());
    blob
}

fn opened(blob: &[u8], key: &NamedKey) -> Result<Vec<u8>, SealedError> {
    let Some(header) = blob.first_chunk() else { return Err(SealedError::NotSealed) };
    let opener = BlobOpener::new(header, blob.len() as u64, BlobKind::Picture, key)?;
    let mut plain = Vec::new();
    for index in 0.. {
        let Some((at, bytes)) = opener.place(index) else { break };
        let mut chunk = blob[at as usize..at as usize + bytes].to_vec();
        plain.extend_from_slice(opener.chunk(index, &mut chunk)?);
    }
    assert_eq!(plain.len() as u64, opener.plain_bytes());
    Ok(plain)
}

#[test]
fn what_was_sealed_opens_whatever_its_length() {
    for bytes in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7] {
        let plain = plain(bytes);
        let blob = sealed(BlobKind::Picture, &key(1), &plain);
        assert_eq!(opened(&blob, &key(1)).unwrap(), plain);
        let again = sealed(BlobKind::Picture, &key(1), &plain);
        assert_ne!(again, blob, "no two are sealed alike");
        let parts: HashSet<&[u8]> = plain.windows(16).collect();
        assert!(!blob.windows(16).any(|window| parts.contains(window)), "nothing of it can be read");
    }
}

#[test]
fn keys_and_kinds_are_not_taken_for_others() {
    let blob = sealed(BlobKind::Picture, &key(1), b"a picture");
    assert_eq!(
        opened(&blob, &key(2)).unwrap_err(),
        SealedError::OtherKey { found: KeyId([1; 16]), wanted: KeyId([2; 16]) }
    );
    let of_the_same_name = NamedKey { id: KeyId([1; 16]), key: SecretKey::new([9; 32]) };
    assert_eq!(opened(&blob, &of_the_same_name).unwrap_err(), SealedError::Forged);
    let probe = sealed(BlobKind::Probe, &key(1), b"a picture");
    assert_eq!(opened(&probe, &key(1)).unwrap_err(), SealedError::OtherKind(2));
    assert_eq!(opened(b"short", &key(1)).unwrap_err(), SealedError::NotSealed);
    assert_eq!(opened(&[0; 200], &key(1)).unwrap_err(), SealedError::NotSealed);
}

#[test]
fn chunks_can_not_be_swapped_cut_off_or_joined() {
    let whole = plain(3 * CHUNK_BYTES);
    let blob = sealed(BlobKind::Picture, &key(1), &whole);
    let step = CHUNK_BYTES + CHUNK_EXTRA;
    let chunk = |number: usize| HEADER_BYTES + number * step..HEADER_BYTES + (number + 1) * step;
    let mut swapped = blob.clone();
    swapped[chunk(1)].copy_from_slice(&blob[chunk(2)]);
    swapped[chunk(2)].copy_from_slice(&blob[chunk(1)]);
    assert_eq!(opened(&swapped, &key(1)).unwrap_err(), SealedError::Chunk(1));
    let other = sealed(BlobKind::Picture, &key(1), &whole);
    let mut joined = blob.clone();
    joined[chunk(2)].copy_from_slice(&other[chunk(2)]);
    assert_eq!(opened(&joined, &key(1)).unwrap_err(), SealedError::Chunk(2), "of another blob with the same in it");
    let found = (blob.len() - step) as u64;
    let wanted = blob.len() as u64;
    let cut = &blob[..blob.len() - step];
    assert_eq!(opened(cut, &key(1)).unwrap_err(), SealedError::Length { wanted, found });
    // One who makes the header say so has to open the data key for it.
    let mut shorter = cut.to_vec();
    put(&mut shorter, 24, &(2 * CHUNK_BYTES as u64).to_le_bytes());
    let crc = crc32fast::hash(&shorter[..124]);
    put(&mut shorter, 124, &crc.to_le_bytes());
    assert_eq!(opened(&shorter, &key(1)).unwrap_err(), SealedError::Forged);
    let later = [&blob[..HEADER_BYTES], &7_u32.to_le_bytes(), &blob[HEADER_BYTES + 4..]].concat();
    assert_eq!(opened(&later, &key(1)).unwrap_err(), SealedError::Chunk(0), "of a generation that there is not");
}

#[test]
fn a_blob_that_is_written_into_draws_a_nonce_each_time_and_one_that_is_written_once_is_not_written_again() {
    let (whole, other) = (plain(CHUNK_BYTES + 9), plain(9));
    let sealer = BlobSealer::of_file(BlobKind::Segment, &key(1), whole.len() as u64, "segment-1.seg").unwrap();
    let (header, bytes) = (*sealer.header(), sealer.file_bytes());
    let first = sealer.chunk(1, &other).unwrap();
    let opener = sealer.into_opener();
    let mut seen = HashSet::from([first.1[..12].to_vec()]);
    for _again in 0..50 {
        let (at, mut sealed) = opener.reseal(1, &other).unwrap();
        assert!(at == first.0 && seen.insert(sealed[..12].to_vec()), "a nonce came twice");
        assert_eq!(opener.chunk(1, &mut sealed.clone()).unwrap(), other);
        assert_eq!(opener.chunk(0, &mut sealed).unwrap_err(), SealedError::Chunk(0));
    }
    assert_eq!(opener.reseal(1, &whole).unwrap_err(), SealedError::Chunk(1), "too many bytes");
    let open = |name| BlobOpener::of_file(&header, bytes, BlobKind::Segment, &key(1), name);
    assert!(open("segment-1.seg").is_ok());
    assert_eq!(open("segment-2.seg").unwrap_err(), SealedError::Forged, "renamed");
    let once = BlobSealer::new(BlobKind::Picture, &key(1), 9).unwrap().into_opener();
    assert_eq!(once.reseal(0, &other).unwrap_err(), SealedError::Chunk(0));
}

#[test]
fn a_record_opens_in_its_file_and_place_only() {
    let sealer = || BlobSealer::of_file(BlobKind::Tail, &key(1), 0, "tail-1.log").unwrap().into_opener();
    let (here, there) = (sealer(), sealer());
    let mut sealed = Vec::new();
    here.seal_record((3, 40), b"a template", &mut sealed).unwrap();
    assert_eq!(sealed.len(), 10 + RECORD_EXTRA);
    assert_eq!(here.record((3, 40), &mut sealed.clone()).unwrap(), b"a template");
    for place in [(4, 40), (3, 41)] {
        assert!(here.record(place, &mut sealed.clone()).is_none());
    }
    assert!(there.record((3, 40), &mut sealed.clone()).is_none());
    for at in 0..sealed.len() {
        let mut bent = sealed.clone();
        bent[at] ^= 1;
        assert!(here.record((3, 40), &mut bent).is_none(), "{at}");
    }
    assert!(here.record((3, 40), &mut [0; 5]).is_none());
}

#[test]
fn a_newer_version_says_so() {
    let mut blob = sealed(BlobKind::Picture, &key(1), b"x");
    put(&mut blob, 8, &2_u32.to_le_bytes());
    let crc = crc32fast::hash(&blob[..124]);
    put(&mut blob, 124, &crc.to_le_bytes());
    assert_eq!(opened(&blob, &key(1)).unwrap_err(), SealedError::Version(2));
}

#[test]
fn names_of_keys_read_back() {
    let id = KeyId::random().unwrap();
    assert_eq!(KeyId::parse(&id.to_string()), Some(id));
    for bad in ["", "12", &"g".repeat(32), &"0".repeat(64)] {
        assert_eq!(KeyId::parse(bad), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_flipped_bit_is_seen_and_its_chunk_named(bytes in 1_usize..150_000, place: prop::sample::Index, bit in 0_u8..8) {
        let mut blob = sealed(BlobKind::Picture, &key(1), &plain(bytes));
        let at = place.index(blob.len());
        blob[at] ^= 1 << bit;
        let error = opened(&blob, &key(1)).unwrap_err();
        match at.checked_sub(HEADER_BYTES) {
            None => prop_assert!(matches!(error, SealedError::NotSealed | SealedError::Header), "{error}"),
            Some(after) => prop_assert_eq!(error, SealedError::Chunk((after / (CHUNK_BYTES + CHUNK_EXTRA)) as u64)),
        }
    }

    #[test]
    fn any_cut_is_seen(bytes in 1_usize..150_000, cut in 1_usize..70_000) {
        let blob = sealed(BlobKind::Picture, &key(1), &plain(bytes));
        let left = blob.len().saturating_sub(cut);
        prop_assert!(opened(&blob[..left], &key(1)).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut blob = sealed(BlobKind::Picture, &key(1), b"x");
        for (at, byte) in bytes.iter().enumerate() {
            if let Some(place) = blob.get_mut(at) {
                *place = *byte;
            }
        }
        let _ = opened(&blob, &key(1));
    }
}
