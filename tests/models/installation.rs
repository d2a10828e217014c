//! The installation of the default set with its real tools: again without a network, after being killed, from a folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bertillon::vision::VisionError;
use bertillon::vision::catalogue::{Catalogue, Source};
use bertillon::vision::install::progress::Silent;
use bertillon::vision::install::{Options, State, install, summary, verify, verify_runtime};

use crate::{CHILD, Print, child_test, default_set, models_dir, project, set_of, spec};

#[test]
fn what_is_installed_needs_neither_network_nor_tools() {
    let dir = models_dir();
    let begun = Instant::now();
    let output = child_test("installation::child_installs")
        .env(CHILD, &dir)
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("step "), "nothing was left to do");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
#[ignore = "run by the tests beside it"]
fn child_installs() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    install(&default_set(), Path::new(&dir), &Options::default(), &Print).unwrap();
}

#[test]
fn a_killed_installation_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    // Killed as each of these begins, a little later each time, so that downloads, moves and conversions are all hit.
    let moments = ["Python environment", "onnxruntime", "ONNX Runtime", "facenet", "rnet", "face-recognition", "dlib"];
    for (number, moment) in moments.into_iter().enumerate() {
        let mut child =
            child_test("installation::child_installs").env(CHILD, dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reached =
            lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("step ") && line.contains(moment)));
        assert!(reached.is_some(), "{moment} was never begun");
        std::thread::sleep(Duration::from_millis(40 * number as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        for file in verify(&default_set(), dir).into_iter().chain([verify_runtime(dir).unwrap()]) {
            assert!(!matches!(file.state, State::Damaged(_)), "after {moment}: {file:?}");
        }
    }
    install(&default_set(), dir, &Options::default(), &Print).unwrap();
    assert_eq!(summary(&verify(&default_set(), dir)), State::Installed);
    assert!(!dir.join(".work").exists(), "nothing unfinished stays");

    // A file that rots is named, and replaced; the others stay as they are.
    let files = verify(&default_set(), dir);
    let untouched = std::fs::metadata(&files[0].path).unwrap().modified().unwrap();
    std::fs::write(&files[1].path, b"rotten").unwrap();
    match summary(&verify(&default_set(), dir)) {
        State::Damaged(reason) => assert!(reason.contains("mtcnn_rnet.onnx") && reason.contains("6 bytes"), "{reason}"),
        other => panic!("{other:?}"),
    }
    install(&default_set(), dir, &Options::default(), &Silent).unwrap();
    assert_eq!(summary(&verify(&default_set(), dir)), State::Installed);
    assert_eq!(std::fs::metadata(&files[0].path).unwrap().modified().unwrap(), untouched);
}

/// A bug of the first days: the next installation cleared a folder away into which a tool of the killed one still wrote.
#[cfg(unix)]
#[test]
fn a_tool_that_outlives_its_killed_installer_is_waited_for() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let tools = tempfile::tempdir().unwrap();
    let (started, ended) = (tools.path().join("started"), tools.path().join("ended"));
    let script = format!("#!/bin/sh\n: > {}\nsleep 2\n: > {}\n", started.display(), ended.display());
    std::fs::write(tools.path().join("python3"), script).unwrap();
    std::fs::set_permissions(tools.path().join("python3"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let mut child = child_test("installation::child_installs")
        .env(CHILD, folder.path())
        .env("PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !started.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the tool was never started");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = std::fs::File::open(folder.path().join(".lock")).unwrap();
    assert!(!ended.exists() && lock.try_lock().is_err(), "the tool still works and holds the lock");
    lock.lock().unwrap();
    assert!(ended.exists(), "the lock was free before the tool had ended");
}

#[test]
fn missing_python_is_named_with_the_package_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        child_test("installation::child_installs").env(CHILD, folder.path()).env("PATH", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("apt-get install") && said.contains("python3-venv"), "{said}");
}

#[test]
fn an_unreachable_registry_is_an_error_with_pips_words() {
    let folder = tempfile::tempdir().unwrap();
    let output = child_test("installation::child_installs")
        .env(CHILD, folder.path())
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .env("PIP_RETRIES", "0")
        .env("PIP_NO_CACHE_DIR", "1")
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env_remove("PIP_FIND_LINKS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("pip") && said.contains("numpy"), "{said}");
}

#[test]
fn local_files_come_from_the_folder_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let models = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.onnx"), b"first").unwrap();
    std::fs::write(folder.path().join("b.onnx"), b"second").unwrap();
    let local = |path: PathBuf| Source::Local { path };
    let set = set_of(
        spec("det.onnx", b"first", local("a.onnx".into())),
        spec("emb.onnx", b"second", local(folder.path().join("b.onnx"))),
    );
    let mut options = Options { from: None, without_runtime: true };
    let error = install(&set, models.path(), &options, &Silent).unwrap_err();
    assert!(matches!(error, VisionError::LocalMissing { .. }) && error.to_string().contains("--from"), "{error}");
    options.from = Some(models.path().join("elsewhere"));
    let error = install(&set, models.path(), &options, &Silent).unwrap_err().to_string();
    assert!(error.contains("elsewhere/a.onnx") && error.contains("elsewhere/det.onnx"), "{error}");
    options.from = Some(folder.path().to_owned());
    std::fs::write(folder.path().join("a.onnx"), b"fIrst").unwrap();
    let error = install(&set, models.path(), &options, &Silent).unwrap_err();
    assert!(matches!(error, VisionError::Damaged { .. }), "{error}");
    std::fs::write(folder.path().join("a.onnx"), b"first").unwrap();
    install(&set, models.path(), &options, &Silent).unwrap();
    assert_eq!(summary(&verify(&set, models.path())), State::Installed);
}

#[test]
fn installations_at_once_wait_for_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let models = tempfile::tempdir().unwrap();
    let bytes = vec![7; 1 << 20];
    std::fs::write(folder.path().join("a.onnx"), &bytes).unwrap();
    let source = || Source::Local { path: "a.onnx".into() };
    let set = set_of(spec("det.onnx", &bytes, source()), spec("emb.onnx", &bytes, source()));
    let options = Options { from: Some(folder.path().to_owned()), without_runtime: true };
    for _ in 0..10 {
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| install(&set, models.path(), &options, &Silent).unwrap());
            }
        });
        for file in verify(&set, models.path()) {
            assert_eq!(file.state, State::Installed);
            std::fs::remove_file(file.path).unwrap();
        }
    }
}

#[test]
fn the_second_set_installs_from_the_shared_folder_where_there_is_one() {
    let shared = project().join("../shared/models");
    if !shared.is_dir() {
        println!("skipped: {} is not on this machine", shared.display());
        return;
    }
    let models = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::builtin().unwrap();
    let set = catalogue.set("yunet-omz").unwrap();
    let options = Options { from: Some(shared), without_runtime: true };
    install(set, models.path(), &options, &Silent).unwrap();
    assert_eq!(summary(&verify(set, models.path())), State::Installed);
}
