//! Manifests: what is read, and what is refused with which line.

use std::fmt::Write as _;

use super::*;
use crate::base::limits::EVALUATION_LINE_BYTES_MAX;

fn read(text: &str) -> Result<Manifest, ManifestError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    fs::write(&path, text).unwrap();
    Manifest::read(&path)
}

fn faults(text: &str) -> Vec<Fault> {
    match read(text) {
        Err(ManifestError::Lines { faults, count, .. }) => {
            assert!(count >= faults.len());
            faults
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn columns_mean_what_their_names_say_and_others_are_groups() {
    let text = "subject,image,gender,type,capture_date,role,session,age\n\
         p1,a.jpg,female,custody,2020-01-31,gallery,s1,24\n\
         p2,b/c.jpg,male,cctv,,probe,,NA\n\
         p1,d.jpg,female,,,,,24\n";
    let manifest = read(text).unwrap();
    assert_eq!(manifest.subjects, ["p1", "p2"]);
    assert_eq!(manifest.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["gender", "age"]);
    let [first, second, third] = manifest.images.as_slice() else { panic!("{:?}", manifest.images) };
    assert_eq!((first.subject, first.role, first.captured.as_str()), (0, Some(Role::Gallery), "2020-01-31"));
    assert_eq!((second.subject, second.kind.as_str(), second.groups.as_slice()), (1, "cctv", &[Some(1), None][..]));
    assert!(second.path.ends_with("b/c.jpg"));
    assert_eq!((third.subject, third.role, third.groups.as_slice()), (0, None, &[Some(0), Some(0)][..]));
}

#[test]
fn the_hash_tells_contents_apart_and_nothing_else() {
    let one = read("image,subject\na.jpg,p\n").unwrap();
    assert_eq!(one.sha256, read("image,subject\r\n a.jpg , p \r\n").unwrap().sha256);
    for other in ["image,subject\na.jpg,q\n", "image,subject\na.jp,gp\n", "image,subject,x\na.jpg,p,\n"] {
        assert_ne!(one.sha256, read(other).unwrap().sha256, "{other}");
    }
}

#[test]
fn each_wrong_line_is_named() {
    let text = "image,subject,role,capture_date\n\
         a.jpg,p,gallery,\n\
         ,p,,\n\
         b.jpg,p,suspect,\n\
         a.jpg,p,,\n\
         c.jpg,p,,31.1.2020\n\
         d.jpg,p\n\
         f.jpg,p,,2020-13-01\n";
    let found = faults(text);
    assert_eq!(found.iter().map(|fault| fault.line).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    assert!(found[2].what.contains("line 2"), "{found:?}");
    assert!(faults("file,subject\na,b\n")[0].what.contains("image"));
    assert!(faults("image,subject,x,x\na,b,c,d\n")[0].what.contains("two of one name"));
    assert!(matches!(read("image,subject\n"), Err(ManifestError::Empty(_))));
    assert!(matches!(Manifest::read(Path::new("/nowhere/at/all.csv")), Err(ManifestError::Unreadable { .. })));
}

#[test]
fn a_flood_of_faults_and_values_is_bounded() {
    let mut text = "image,subject\n".to_owned();
    for _ in 0..10 * EVALUATION_FAULTS_MAX {
        text.push_str("a.jpg,\n");
    }
    assert_eq!(faults(&text).len(), EVALUATION_FAULTS_MAX);
    let mut text = "image,subject,height\n".to_owned();
    for n in 0..=EVALUATION_VALUES_MAX {
        writeln!(text, "{n}.jpg,p,{n}").unwrap();
    }
    let found = faults(&text);
    assert!(found.len() == 1 && found[0].what.contains("classes"), "{found:?}");
    let mut text = "image,subject,type\n".to_owned();
    for n in 0..=EVALUATION_TYPES_MAX {
        writeln!(text, "{n}.jpg,p,type {n}").unwrap();
    }
    let found = faults(&text);
    assert!(found.len() == 1 && found[0].what.contains("more than 16 types"), "{found:?}");
    let wide: Vec<String> = (0..=EVALUATION_GROUP_COLUMNS_MAX).map(|n| format!("g{n}")).collect();
    assert!(faults(&format!("image,subject,{}\n", wide.join(",")))[0].what.contains("group columns"));
    assert!(
        faults(&format!("image,subject\na.jpg,{}\n", "x".repeat(CELL_CHARS_MAX + 1)))[0].what.contains("characters")
    );
}

#[test]
fn not_utf_8_is_a_fault_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    fs::write(&path, b"image,subject\na.jpg,p\nb.jpg,\xff\n").unwrap();
    let Err(ManifestError::Lines { faults, .. }) = Manifest::read(&path) else { panic!() };
    assert_eq!(faults[0].line, 3);
}

/// A source that has `first` and then the same byte for ever. Whoever takes a hundred lines' worth of it would take all.
struct Endless<'a> {
    first: &'a [u8],
    then: u8,
    given: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count =
            if self.first.is_empty() { std::io::repeat(self.then).read(into)? } else { self.first.read(into)? };
        self.given += count;
        assert!(self.given < 100 * EVALUATION_LINE_BYTES_MAX, "all of the memory would be taken");
        Ok(count)
    }
}

#[test]
fn a_line_without_an_end_is_refused_with_its_number() {
    let path = Path::new("endless.csv");
    let endless = |first: &'static str, then| Endless { first: first.as_bytes(), then, given: 0 };
    let hold = |found: Option<ManifestError>, line| match found {
        Some(ManifestError::Lines { faults, .. }) => {
            let what = "can't be read: a row has more than 65536 bytes".to_owned();
            assert_eq!(faults.last(), Some(&Fault { line, what }));
        }
        other => panic!("{other:?}"),
    };
    for (first, then, number) in [
        ("image,subject\na.jpg,p\nb.jpg,\"", b'x', 3),
        ("image,subject\na.jpg,\"two\nlines\"\nb.jpg,\"", b'\n', 4),
        ("image,subject\na.jpg,p\n", b'x', 3),
        ("image,subject\na.jpg,p\n", b'\n', 3),
        ("\"", b'x', 1),
    ] {
        hold(Manifest::from_source(path, endless(first, then)).err(), number);
        hold(read_groups(path, endless(first, then)).err(), number);
    }
    // As long as a line may be, with all that may be in it.
    let columns: Vec<String> = (0..EVALUATION_GROUP_COLUMNS_MAX).map(|column| format!("g{column}")).collect();
    let columns = columns.join(",");
    let cells = format!(",\"{}\"", "\"\"".repeat(CELL_CHARS_MAX)).repeat(EVALUATION_GROUP_COLUMNS_MAX);
    let full = format!("image,subject,{columns}\na.jpg,p{cells}\nb.jpg,p{cells}\n");
    assert_eq!(read(&full).unwrap().images.len(), 2);
}

#[test]
fn folders_are_people() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["B/B_0002.jpg", "B/B_0001.jpg", "A/A_0001.JPG", "A/notes.txt", "loose.jpg"] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let groups = folder.path().join("groups.csv");
    fs::write(&groups, "id,age\nA,24\nB,61\nC,5\n").unwrap();
    let mut manifest = Manifest::of_folders(folder.path(), Some(&groups)).unwrap();
    let names: Vec<&str> = manifest.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["A/A_0001.JPG", "B/B_0001.jpg", "B/B_0002.jpg"]);
    assert_eq!(manifest.subjects, ["A", "B"]);
    let before = manifest.sha256.clone();
    manifest.put_into_classes(&BTreeMap::from([("age".to_owned(), vec![25.0, 50.0])])).unwrap();
    assert_eq!(manifest.columns[0].values, ["below 25", "25 to below 50", "50 and above"]);
    assert_eq!(manifest.images.iter().map(|image| image.groups[0]).collect::<Vec<_>>(), [Some(0), Some(2), Some(2)]);
    assert_ne!(manifest.sha256, before);
    assert!(manifest.put_into_classes(&BTreeMap::from([("size".to_owned(), vec![1.0])])).is_err());
}
