//! The catalogue refuses nonsense, and says what is wrong.

use std::path::Path;

use bertillon::vector::dimension::Dimension;
use bertillon::vision::VisionError;
use bertillon::vision::catalogue::{Catalogue, Source};
use proptest::prelude::*;

const BUILTIN: &str = include_str!("../../models/catalogue.toml");

fn parse(text: &str) -> Result<Catalogue, VisionError> {
    Catalogue::parse(text, Path::new("the-file.toml"))
}

/// The built-in text with the first `from` replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(BUILTIN.contains(from), "{from:?} does not stand in the catalogue");
    BUILTIN.replacen(from, to, 1)
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    let pnet = "sha256 = \"636d40a7b0f02c1247d51284c4db4556c1ec5504e03e403f3c0df5471c08de8a\"";
    let table = [
        (changed("name = \"yunet-sface\"", "name = \"mtcnn-dlib\""), "two sets are named \"mtcnn-dlib\""),
        (changed("name = \"mtcnn-dlib\"", "name = \"../x\""), "a name is"),
        (changed("dimension = 128", "dimension = 100"), "multiple of 16"),
        (changed("dimension = 128", "dimension = 0"), "multiple of 16"),
        (changed("dimension = 128", "dimension = 4096"), "multiple of 16"),
        (changed(pnet, "sha256 = \"636d\""), "64 hexadecimal digits"),
        (changed(pnet, &pnet.to_uppercase().replace("SHA256", "sha256")), "lower case"),
        (changed(pnet, ""), "missing field `sha256`"),
        (changed("licence = \"MIT\"", "licence = \" \""), "a licence must be named"),
        (changed("licence = \"MIT\"", "license = \"MIT\""), "unknown field `license`"),
        (changed("kind = \"mtcnn\"", "kind = \"mtcnn\"\nfactor = 1"), "unknown field `factor`"),
        (changed("kind = \"mtcnn\"", "kind = \"haar\""), "unknown variant `haar`"),
        (changed("converter = \"dlib\"", "converter = \"rm\""), "unknown variant `rm`"),
        (changed("file = \"mtcnn_pnet.onnx\"", "file = \"../mtcnn_pnet.onnx\""), "a file name is"),
        (changed("file = \"mtcnn_pnet.onnx\"", "file = \".hidden.onnx\""), "a file name is"),
        (changed("file = \"mtcnn_pnet.onnx\"", "file = \"mtcnn_rnet.onnx\""), "two different files are named"),
        (changed("bytes = 27460", "bytes = 0"), "0 bytes"),
        (changed("bytes = 27460", "bytes = 99999999999"), "bytes; 1 to"),
        (changed("package = \"facenet-pytorch==2.6.0\"", "package = \"--index-url=x==1\""), "name==version"),
        (changed("package = \"facenet-pytorch==2.6.0\"", "package = \"facenet-pytorch\""), "name==version"),
        (changed("facenet_pytorch/data/pnet.pt", "../data/pnet.pt"), "no path inside a package"),
        (changed("\"https://", "\"ftp://"), "not an http or https address"),
        (changed("path = \"yunet_n_dynamic.onnx\"", "path = \"\""), "empty path"),
        (changed("divisor = [256.0, 256.0, 256.0]", "divisor = [256.0, 0.0, 256.0]"), "divisor is 0"),
        (changed("mean = [122.782, 117.001, 104.298]", "mean = [nan, 0.0, 0.0]"), "mean is NaN"),
        (changed("thresholds = [0.6, 0.7, 0.7]", "thresholds = [0.6, 0.7, 1.7]"), "thresholds is 1.7"),
        (changed("thresholds = [0.6, 0.7, 0.7]", "thresholds = [0.6, 0.7]"), "length"),
        (changed("pyramid_factor = 0.709", "pyramid_factor = 1.0"), "pyramid_factor is 1"),
        (changed("input_width = 150", "input_width = 100000"), "input_width"),
        (changed("[[47.849, 45.862], [102.438, 46.182]", "[[102.438, 46.182], [47.849, 45.862]"), "come first"),
        (changed("[75.187, 77.718]", "[75.187, 177.718]"), "alignment.points y"),
        (changed("[75.187, 77.718]", "[75.187, 7.718]"), "below one another"),
        (changed("threshold_fmr_1e3 = 0.929", "threshold_fmr_1e3 = 0.99"), "must be the higher"),
        (String::new(), "missing field `set`"),
        ("set = []".to_owned(), "0 sets"),
        ("[[set]]\nname = \"x\"".to_owned(), "missing field"),
    ];
    for (text, reason) in table {
        let error = parse(&text).expect_err(reason).to_string();
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
        assert!(error.contains("the-file.toml"), "{error}");
    }
}

#[test]
fn a_customers_file_stands_before_the_built_in_sets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let start = BUILTIN.find("[[set]]\nname = \"yunet-omz\"").unwrap();
    let own = BUILTIN[start..].replace("name = \"yunet-omz\"", "name = \"ours\"");
    std::fs::write(&path, &own).unwrap();
    let catalogue = Catalogue::read(&path).unwrap();
    let names: Vec<_> = catalogue.sets.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["ours", "mtcnn-dlib", "yunet-sface", "yunet-auraface", "yunet-omz"]);
    let ours = catalogue.set("ours").unwrap();
    assert_eq!(ours.id().hash, catalogue.set("yunet-omz").unwrap().id().hash, "a name is not part of the identity");
    for file in ours.files() {
        match &file.source {
            Source::Local { path } => assert_eq!(path.parent(), Some(folder.path())),
            other => panic!("{other:?}"),
        }
    }
    // The same file name with another hash would overwrite the other set's file.
    std::fs::write(&path, own.replace("104ee26c", "00000000")).unwrap();
    let error = Catalogue::read(&path).unwrap_err().to_string();
    assert!(error.contains("two different files are named \"yunet_n_dynamic.onnx\""), "{error}");
}

#[test]
fn the_example_of_the_readme_is_true() {
    let readme = include_str!("../../models/README.md");
    let example = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let catalogue = parse(example).unwrap();
    assert_eq!(catalogue.sets.len(), 1);
    assert!(matches!(catalogue.sets[0].embedder.model.source, Source::Local { .. }));
}

proptest! {
    #[test]
    fn a_dimension_stands_or_falls_with_the_engine(dimension in 0_usize..5000) {
        let text = changed("dimension = 128", &format!("dimension = {dimension}"));
        prop_assert_eq!(parse(&text).is_ok(), Dimension::new(dimension).is_ok());
    }

    #[test]
    fn no_damage_to_the_text_panics_or_changes_a_number_unseen(at in 0..BUILTIN.len(), byte in 0x20_u8..0x7f) {
        let mut bytes = BUILTIN.as_bytes().to_vec();
        bytes[at] = byte;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        if let Ok(catalogue) = parse(&text) {
            // What is accepted is whole: every set has its files and an identity.
            for set in &catalogue.sets {
                prop_assert!(set.files().count() >= 2 && set.dimension().is_ok());
            }
        }
    }
}
