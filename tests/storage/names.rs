//! Nobody's name gets into a log, an error or a job's record by way of what is wrong with a list of subjects.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bertillon::audit::Caller;
use bertillon::casework::bulk::{self, BulkImport};
use bertillon::casework::jobs::{self, Work};
use bertillon::casework::worker::Worker;

use crate::bulk::{desk, npy, old_files};
use crate::{name, raw, run};

/// In lower case too it is looked for.
const NAME: &str = "Zyxwvut";

/// Lists with the name in each kind of bad place.
fn bad_lists() -> Vec<Vec<u8>> {
    let long = NAME.repeat(200);
    let texts = [
        // Without the line of names: what is in the first row is taken for them.
        format!("{NAME} Example,1990\nsomebody,1991\n"),
        "zyxwvut,a1990\nsomebody,a1991\n".to_owned(),
        format!("subject,{NAME} Example\nsomebody,1\n"),
        "subject,zyxwvut,zyxwvut\nsomebody,1,2\n".to_owned(),
        format!("subject\n{long}\n"),
        format!("subject\n{NAME}\u{7}\n"),
        format!("subject\n  \n{NAME}\n"),
        format!("subject,source\n{NAME},{long}\n"),
        format!("subject,place\n{NAME},{long}\n"),
        format!("subject,place\n{NAME},{NAME}\u{1b}[31m\n"),
        format!("subject,place\n{NAME},{NAME},{NAME}\n"),
        format!("subject\n\"{NAME}\n"),
        format!("subject\n{NAME}\n{NAME}\n{NAME}\n"),
        format!("subject,zyxwvut\n{NAME},a\n{NAME},{}\n", "b".repeat(100)),
        format!("subject\n{NAME}{}\n", "x".repeat(3 << 20)),
        format!("subject\n{NAME}\nSynthetic #7\n"),
        // A good list; its templates are not.
        format!("subject\n{NAME}\n{NAME}\n"),
    ];
    let mut lists: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    lists.push([b"subject\n", NAME.as_bytes(), b"\xff\n"].concat());
    lists
}

fn names_nobody(text: &str, what: &str) {
    assert!(!text.to_lowercase().contains(&NAME.to_lowercase()), "{what}: {text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_bad_list_of_subjects_puts_no_name_into_errors_log_or_jobs() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    // On this thread, which is the one that everything but file work runs on.
    let _captured = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = Arc::new(desk(home.path()).await);
        let lists = bad_lists();
        let mut wanted = Vec::new();
        for (number, list) in lists.iter().enumerate() {
            let subjects = home.path().join(format!("{number}.csv"));
            fs_err::write(&subjects, list).unwrap();
            let request = BulkImport { subjects, ..old_files(home.path()) };
            npy(&request.templates, &[raw(1), vec![0.0; 32]]);
            let error = bulk::import(&desk, &desk.vault, &request, (None, Arc::default()), |_, _| ()).await;
            let error = error.unwrap_err().to_string();
            names_nobody(&error, "error");
            let BulkImport { gallery: _, templates, subjects, model } = request;
            let somebody = Caller::new("somebody", "test", None);
            let work = Work::Import { templates, subjects, model };
            wanted.push((jobs::ask(&desk, &name(), &work, &somebody).await.unwrap().id, error));
        }
        let worker = Worker::start(Arc::clone(&desk));
        let began = Instant::now();
        for (id, error) in wanted {
            let job = loop {
                let job = jobs::one(&desk, id).await.unwrap();
                if job.state.is_over() {
                    break job;
                }
                assert!(began.elapsed() < Duration::from_mins(1), "{job:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert_eq!(job.state.as_str(), "failed");
            assert_eq!(job.outcome.as_deref(), Some(error.as_str()), "the job says what the import said");
            names_nobody(&format!("{job:?}"), "job");
        }
        worker.stop().await;
        assert_eq!(desk.vault.snapshot(&name()).await.unwrap().live(), 0);
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("job failed") && text.contains("line 2"), "the log is looked at: {text}");
    names_nobody(&text, "log");
}
