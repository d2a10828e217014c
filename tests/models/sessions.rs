//! Loaded models: damaged files, wrong inputs, the same bits every time, and nothing leaked into the caller's arithmetic.

use std::hint::black_box;
use std::path::Path;

use bertillon::vision::VisionError;
use bertillon::vision::catalogue::{Detector, FileSpec, Source};
use bertillon::vision::runtime::{self, Runtime};
use bertillon::vision::session::Session;

use crate::{CHILD, child_test, default_set, models_dir, runtime, spec};

fn embedder() -> FileSpec {
    default_set().embedder.model
}

fn local() -> Source {
    Source::Local { path: "x.onnx".into() }
}

/// Numbers like those of a normalised picture.
fn picture(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 % 256) as f32 - 127.5) / 128.0).collect()
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let wanted = embedder();
    let good = std::fs::read(wanted.path(&models_dir())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    let load = |bytes: &[u8], wanted: &FileSpec| {
        std::fs::write(&path, bytes).unwrap();
        Session::load(&path, wanted, &runtime(), 1)
    };
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        let error = load(&good[..cut], &wanted).unwrap_err();
        assert!(matches!(error, VisionError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{cut} bytes found")), "{error}");
    }
    for at in [0, 8, good.len() / 2, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        let error = load(&flipped, &wanted).unwrap_err();
        assert!(matches!(error, VisionError::Damaged { .. }), "{error}");
        // As if a customer had listed the damaged file itself: ONNX Runtime may take it or not, but nothing may crash.
        if let Err(error) = load(&flipped, &spec("x.onnx", &flipped, local())) {
            assert!(matches!(error, VisionError::ModelRefused { .. }), "{error}");
        }
    }
    for junk in [&good[..good.len() / 3], b"not a model", &[0; 4096][..]] {
        let error = load(junk, &spec("x.onnx", junk, local())).unwrap_err();
        assert!(matches!(error, VisionError::ModelRefused { .. }), "{error}");
    }
    let error = Session::load(Path::new("/nowhere/x.onnx"), &wanted, &runtime(), 1).unwrap_err();
    assert!(matches!(error, VisionError::ModelMissing { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/x.onnx") && error.to_string().contains("models install"), "{error}");
}

#[test]
fn a_wrong_input_is_an_error_and_the_model_lives_on() {
    let wanted = embedder();
    let session = Session::load(&wanted.path(&models_dir()), &wanted, &runtime(), 1).unwrap();
    assert_eq!(session.input_shape(), [None, Some(3), Some(150), Some(150)]);
    let one = 3 * 150 * 150;
    for (shape, numbers) in [
        ([1, 3, 150, 150], one - 1),
        ([0, 3, 150, 150], 0),
        ([1, 1, 150, 450], one),
        ([1, 3, 112, 112], 3 * 112 * 112),
        ([usize::MAX, usize::MAX, 2, 2], 4),
    ] {
        let error = session.run(shape, vec![0.5; numbers]).unwrap_err();
        assert!(matches!(error, VisionError::ModelRun { .. }), "{error}");
    }
    let outputs = session.run([2, 3, 150, 150], picture(2 * one)).unwrap();
    assert_eq!((outputs.len(), outputs[0].name.as_str(), &outputs[0].shape[..]), (1, "embedding", &[2, 128][..]));
    assert!(!format!("{:?}", outputs[0]).contains("values"), "numbers of a template don't belong in logs");
}

#[test]
fn the_same_input_gives_the_same_bits_whoever_asks() {
    let wanted = embedder();
    let path = wanted.path(&models_dir());
    let sessions = [1, 2, 3].map(|threads| Session::load(&path, &wanted, &runtime(), threads).unwrap());
    let input = picture(3 * 150 * 150);
    let first = sessions[0].run([1, 3, 150, 150], input.clone()).unwrap();
    std::thread::scope(|scope| {
        for session in sessions.iter().cycle().take(6) {
            let (input, first) = (input.clone(), &first);
            scope.spawn(move || assert_eq!(&session.run([1, 3, 150, 150], input).unwrap(), first));
        }
    });
    // A picture's template does not depend on its company in a batch.
    let pair = sessions[0].run([2, 3, 150, 150], [input.clone(), picture(3 * 150 * 150 + 5)[5..].to_vec()].concat());
    let pair = pair.unwrap();
    let difference = pair[0].values[..128].iter().zip(&first[0].values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn the_callers_arithmetic_keeps_its_smallest_numbers() {
    let keeps = || black_box(f32::MIN_POSITIVE) * black_box(0.5) > 0.0;
    assert!(keeps());
    let wanted = embedder();
    let session = Session::load(&wanted.path(&models_dir()), &wanted, &runtime(), 1).unwrap();
    session.run([1, 3, 150, 150], picture(3 * 150 * 150)).unwrap();
    assert!(keeps(), "flush-to-zero has leaked into a caller's thread");
    assert!(std::thread::spawn(keeps).join().unwrap());
}

#[test]
fn the_cascade_takes_any_size_and_batch() {
    let Detector::Mtcnn { pnet, rnet, onet, .. } = default_set().detector else { panic!("the default has changed") };
    let load = |file: &FileSpec| Session::load(&file.path(&models_dir()), file, &runtime(), 1).unwrap();
    let (pnet, rnet, onet) = (load(&pnet), load(&rnet), load(&onet));
    for (count, rows, columns) in [(1, 12, 12), (1, 13, 97), (2, 144, 192), (1, 301, 11)] {
        let outputs = pnet.run([count, 3, rows, columns], picture(count * 3 * rows * columns)).unwrap();
        // Convolution 3, pool 2 (a last, partial window counts), convolutions 3 and 3.
        let along = |side: usize| (side - 2).div_ceil(2) - 4;
        let map = [along(rows), along(columns)];
        assert_eq!(outputs[0].name, "prob");
        assert_eq!(outputs[0].shape, [count, 2, map[0], map[1]]);
        assert_eq!((outputs[1].name.as_str(), &outputs[1].shape[..2]), ("reg", &[count, 4][..]));
        let plane = map[0] * map[1];
        let sum = outputs[0].values[0] + outputs[0].values[plane];
        assert!((sum - 1.0).abs() < 1e-5, "two probabilities add up to {sum}");
    }
    assert!(pnet.run([1, 3, 10, 200], picture(3 * 10 * 200)).is_err(), "smaller than a window");
    for (net, side, names) in [(&rnet, 24, &["prob", "reg"][..]), (&onet, 48, &["prob", "reg", "lm"])] {
        for count in [1, 7, 64] {
            let outputs = net.run([count, 3, side, side], picture(count * 3 * side * side)).unwrap();
            assert_eq!(outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>(), names);
            assert!(outputs.iter().all(|output| output.shape[0] == count));
        }
    }
}

#[test]
fn a_missing_library_is_an_error_that_lists_every_path() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("libonnxruntime.so.9");
    match runtime::find(Some(&wrong), folder.path()).unwrap_err() {
        VisionError::RuntimeMissing { tried } => assert_eq!(tried, [wrong]),
        other => panic!("{other}"),
    }
    // Without a setting: in a process of its own, whose environment is known.
    let output = child_test("sessions::child_looks_for_the_library")
        .env_remove("ORT_DYLIB_PATH")
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let runtime_dir = folder.path().join("runtime").display().to_string();
    for place in
        [runtime_dir.as_str(), "/usr/local/lib", "/usr/lib/", "/opt/onnxruntime/lib", "../lib", "ORT_DYLIB_PATH"]
    {
        assert!(said.contains(place) || said.contains("loaded"), "{place} is not in {said}");
    }
}

#[test]
#[ignore = "run by the test above"]
fn child_looks_for_the_library() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    match Runtime::load(None, folder) {
        Ok(runtime) => println!("loaded {}", runtime.library().display()), // this machine has one of its own
        Err(error) => println!("{error}"),
    }
    // A file that is no library is refused, and a later attempt with a good one still succeeds.
    let fake = folder.join("fake.so");
    std::fs::write(&fake, b"not a library").unwrap();
    match Runtime::load(Some(&fake), folder) {
        Err(VisionError::RuntimeRefused { path, .. }) => assert_eq!(path, fake),
        other => panic!("{other:?}"),
    }
    // So is a library cut short where the installer puts it: loading one of those can kill a process.
    let whole = std::fs::read(models_dir().join("runtime/libonnxruntime.so.1.31.1")).unwrap();
    let cut = folder.join("runtime/libonnxruntime.so.1.31.1");
    std::fs::create_dir_all(cut.parent().unwrap()).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let error = Runtime::load(None, folder).unwrap_err();
    assert!(matches!(error, VisionError::Damaged { .. }), "{error}");
    let good = Runtime::load(None, &models_dir()).unwrap();
    assert_eq!(good.version(), "1.31.1");
    assert_eq!(Runtime::load(Some(&fake), folder).unwrap().library(), good.library(), "one library a process");
}
