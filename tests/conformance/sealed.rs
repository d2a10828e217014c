//! The battery over sealed segments: every back end reads them where they are open in memory, and gives the same lists.

use std::sync::Arc;

use bertillon::base::ids::ModelId;
use bertillon::crypto::{BlobKind, KeyId, NamedKey, SecretKey};
use bertillon::segment::{Precision, Segment, SegmentSpec, SegmentWriter};
use bertillon::store::memory::MemoryFolder;
use bertillon::store::read_small;
use bertillon::store::sealed::SealedFolder;
use bertillon::vector::codec::{Code, put_f32};
use bertillon::vector::rows::{GalleryRows, Rows};

/// The live rows of each run as a sealed segment of its own, opened from what lies on the disk.
pub fn sealed(gallery: &GalleryRows) -> Vec<Arc<dyn Rows>> {
    let disk = MemoryFolder::default();
    let key = Arc::new(NamedKey { id: KeyId([7; 16]), key: SecretKey::random().unwrap() });
    let folder =
        || Arc::new(SealedFolder::new(Arc::new(disk.clone()), Arc::clone(&key), |_| Some(BlobKind::Segment), false));
    let mut segments: Vec<Arc<dyn Rows>> = Vec::new();
    for (number, run) in gallery.iter().enumerate() {
        let live: Vec<usize> = (0..run.len()).filter(|&row| run.is_live(row)).collect();
        if live.is_empty() {
            continue;
        }
        let model = ModelId { name: "numbers".to_owned(), hash: [7; 32] };
        let spec = SegmentSpec { model, dimension: run.dimension(), originals: Precision::F32, synthetic: false };
        let name = format!("segment-{number}.seg");
        let mut writer = SegmentWriter::create(folder(), &name, &spec, live.len() as u64).unwrap();
        let mut original = vec![0.0; run.dimension().get()];
        for row in live {
            run.original(row, &mut original);
            writer.push(run.template_id(row), &original, &Code::of(&original)).unwrap();
        }
        writer.finish().unwrap();
        let mut bytes = Vec::new();
        put_f32(&original, &mut bytes);
        let on_disk = read_small(&disk, &name, 1 << 30).unwrap();
        assert!(!on_disk.windows(16).any(|window| bytes.starts_with(window)), "it lies there to be read");
        segments.push(Arc::new(Segment::open(folder().as_ref(), &name).unwrap()));
    }
    segments
}
