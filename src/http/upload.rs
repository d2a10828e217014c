//! Multipart bodies, read into memory within limits: of the whole body, of each picture, of each text, of their number
//! and of the time. A field that is not known is refused by name, since a mistyped `treshold` must not be passed over.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, Payload};
use futures_util::{Stream, StreamExt, TryStreamExt};

use crate::base::limits::{
    IMAGE_BYTES_MAX, PICTURE_NAME_CHARS_MAX, TEXT_FIELD_BYTES_MAX, TEXT_FIELDS_MAX, UPLOAD_S_MAX,
};
use crate::http::problem::Problem;
use crate::settings::sections::Server;

/// Name of the field that carries a picture.
pub const PICTURE_FIELD: &str = "image";

/// Name of the text field that stands for pictures where it is known: those of a submission, by its number.
pub const SUBMISSION_FIELD: &str = "submission";

/// What a body may hold.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Most bytes of the whole body.
    pub body_bytes_max: usize,
    /// Most pictures.
    pub pictures_max: usize,
    /// Names of the text fields that are known.
    pub texts: &'static [&'static str],
}

impl Rules {
    /// What the settings allow, with these text fields.
    #[must_use]
    pub fn of(server: &Server, texts: &'static [&'static str]) -> Self {
        Self { body_bytes_max: server.request_bytes_max(), pictures_max: server.images_max, texts }
    }
}

/// A picture that arrived.
#[derive(Clone)]
pub struct Picture {
    /// Its file name without folders, or its number.
    pub name: String,
    /// Its bytes, not looked at.
    pub bytes: Arc<[u8]>,
}

/// A body that arrived.
#[derive(Default)]
pub struct Upload {
    /// Pictures in order; at least one, but where a submission's are meant.
    pub pictures: Vec<Picture>,
    texts: BTreeMap<String, String>,
}

impl Upload {
    /// The text of a field, if it was sent.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.texts.get(field).map(String::as_str)
    }
}

/// Bytes that the body will have: what its header says, else the most that `rules` allow.
///
/// # Errors
/// A [`Problem`] of status 413 when the header says too much, 415 when it is no multipart body.
pub fn announced(headers: &HeaderMap, rules: &Rules) -> Result<u64, Problem> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let media_type = text(header::CONTENT_TYPE).and_then(|value| value.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(Problem::media_type("multipart/form-data"));
    }
    let most = rules.body_bytes_max as u64;
    match text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > most => Err(body_too_large(rules)),
        Some(length) => Ok(length),
        None => Ok(most),
    }
}

/// Reads the whole body.
///
/// # Errors
/// A [`Problem`] that names the field or picture at fault.
pub async fn read(headers: &HeaderMap, payload: Payload, rules: &Rules) -> Result<Upload, Problem> {
    let reading = read_stream(headers, payload, rules);
    let in_time = tokio::time::timeout(Duration::from_secs(UPLOAD_S_MAX), reading).await;
    in_time.unwrap_or_else(|_| Err(Problem::too_slow(format!("A body must arrive within {UPLOAD_S_MAX} s."))))
}

async fn read_stream<S>(headers: &HeaderMap, body: S, rules: &Rules) -> Result<Upload, Problem>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + 'static,
{
    let overflow = Rc::new(Cell::new(false));
    let mut multipart = Multipart::new(headers, limited(body, rules.body_bytes_max, Rc::clone(&overflow)));
    let explain = |error: &MultipartError| if overflow.get() { body_too_large(rules) } else { broken(error) };
    let mut upload = Upload::default();
    while let Some(mut field) = multipart.try_next().await.map_err(|error| explain(&error))? {
        let name: String = field.name().unwrap_or_default().chars().take(80).collect();
        let known_text = rules.texts.contains(&name.as_str());
        if !known_text && name != PICTURE_FIELD {
            return Err(unknown_field(&name, rules));
        }
        let bytes = if known_text {
            check_text(&upload, &name)?;
            collect(&mut field, TEXT_FIELD_BYTES_MAX).await
        } else {
            check_room(&upload, rules)?;
            collect(&mut field, IMAGE_BYTES_MAX).await
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(Unread::Broken(error)) => return Err(explain(&error)),
            Err(Unread::TooLong) if known_text => {
                return Err(Problem::malformed(format!(
                    "The field {name:?} has more than {TEXT_FIELD_BYTES_MAX} bytes."
                )));
            }
            Err(Unread::TooLong) => return Err(picture_too_large(&picture_name(&field, upload.pictures.len()))),
        };
        if known_text {
            let text = String::from_utf8(bytes);
            let text = text.map_err(|_| Problem::malformed(format!("The field {name:?} is not UTF-8 text.")))?;
            upload.texts.insert(name, text);
        } else {
            let name = picture_name(&field, upload.pictures.len());
            upload.pictures.push(Picture { name, bytes: bytes.into() });
        }
    }
    if upload.pictures.is_empty() && upload.text(SUBMISSION_FIELD).is_none() {
        return Err(Problem::malformed(format!("There is no picture: send one or more as {PICTURE_FIELD:?}.")));
    }
    Ok(upload)
}

/// The body, ending in an error as soon as it is longer than `most`.
fn limited<S>(
    body: S,
    most: usize,
    overflow: Rc<Cell<bool>>,
) -> impl Stream<Item = Result<Bytes, PayloadError>> + 'static
where
    S: Stream<Item = Result<Bytes, PayloadError>> + 'static,
{
    let mut received = 0usize;
    body.map(move |chunk| {
        let chunk = chunk?;
        received = received.saturating_add(chunk.len());
        if received > most {
            overflow.set(true);
            return Err(PayloadError::Overflow);
        }
        Ok(chunk)
    })
}

enum Unread {
    TooLong,
    Broken(MultipartError),
}

async fn collect(field: &mut Field, most: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.try_next().await.map_err(Unread::Broken)? {
        if bytes.len() + chunk.len() > most {
            return Err(Unread::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn check_text(upload: &Upload, name: &str) -> Result<(), Problem> {
    if upload.texts.contains_key(name) {
        return Err(Problem::malformed(format!("The field {name:?} is there twice.")));
    }
    if upload.texts.len() >= TEXT_FIELDS_MAX {
        return Err(Problem::malformed(format!("There are more than {TEXT_FIELDS_MAX} fields.")));
    }
    Ok(())
}

fn check_room(upload: &Upload, rules: &Rules) -> Result<(), Problem> {
    if upload.pictures.len() < rules.pictures_max {
        return Ok(());
    }
    let most = rules.pictures_max;
    Err(Problem::too_large(format!("More than {most} pictures in one request: send the rest in another.")))
}

fn picture_name(field: &Field, before: usize) -> String {
    let given = field.content_disposition().and_then(|disposition| disposition.get_filename()).unwrap_or_default();
    // Some browsers send the whole path of the user's disk; what matters is the file's own name.
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|character| !character.is_control()).take(PICTURE_NAME_CHARS_MAX).collect();
    if name.trim().is_empty() { format!("picture {}", before + 1) } else { name }
}

fn body_too_large(rules: &Rules) -> Problem {
    let most = rules.body_bytes_max >> 20;
    Problem::too_large(format!("The body is larger than {most} MiB: send fewer pictures at a time."))
}

fn picture_too_large(name: &str) -> Problem {
    let most = IMAGE_BYTES_MAX >> 20;
    Problem::too_large(format!("The picture {name:?} is larger than {most} MiB: shrink it. Nothing was done."))
}

fn unknown_field(name: &str, rules: &Rules) -> Problem {
    let known = rules.texts.iter().copied().chain([PICTURE_FIELD]).collect::<Vec<_>>().join(", ");
    Problem::malformed(format!("There is no field {name:?} here; there are {known}."))
}

fn broken(error: &MultipartError) -> Problem {
    Problem::malformed(format!("The multipart body is broken: {error}."))
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const RULES: Rules = Rules { body_bytes_max: 4096, pictures_max: 2, texts: &["subject"] };

    fn part(name: &str, file: Option<&str>, value: &str) -> String {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    }

    async fn upload_in_pieces(body: &str, piece: usize) -> Result<Upload, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; boundary=edge".parse().unwrap());
        let pieces: Vec<_> = body.as_bytes().chunks(piece).map(|bytes| Ok(Bytes::copy_from_slice(bytes))).collect();
        read_stream(&headers, stream::iter(pieces), &RULES).await
    }

    async fn refusal(body: &str) -> (u16, String) {
        let problem = upload_in_pieces(body, 512).await.err().unwrap();
        (problem.answer(0).status().as_u16(), problem.to_string())
    }

    #[actix_web::test]
    async fn fields_arrive_whole_however_they_are_cut() {
        let body = part("subject", None, "Änne") + &part("image", Some("C:/secret/a.jpg"), "x\r\n--y") + "--edge--\r\n";
        for piece in [1, 7, 4096] {
            let upload = upload_in_pieces(&body, piece).await.ok().unwrap();
            assert_eq!(upload.text("subject"), Some("Änne"));
            let pictures: Vec<_> = upload.pictures.iter().map(|one| (one.name.as_str(), &one.bytes[..])).collect();
            assert_eq!(pictures, [("a.jpg", &b"x\r\n--y"[..])]);
        }
    }

    #[actix_web::test]
    async fn refusals_say_what_is_wrong() {
        let picture = part("image", None, "x");
        let (status, text) = refusal(&(part("treshold", None, "1") + "--edge--\r\n")).await;
        assert!(status == 400 && text.contains("\"treshold\"") && text.contains("subject, image"), "{text}");
        let (status, text) = refusal(&(picture.repeat(3) + "--edge--\r\n")).await;
        assert!(status == 413 && text.contains("2 pictures"), "{text}");
        let (status, text) = refusal(&(part("image", None, &"x".repeat(5000)) + "--edge--\r\n")).await;
        assert!(status == 413 && text.contains("body"), "{text}");
        let twice = part("subject", None, "a").repeat(2);
        assert!(refusal(&(twice + &picture + "--edge--\r\n")).await.1.contains("twice"));
        assert!(refusal(&(part("subject", None, &"a".repeat(1025)) + "--edge--\r\n")).await.1.contains("1024 bytes"));
        assert!(refusal("--edge--\r\n").await.1.contains("no picture"));
        assert_eq!(refusal(&picture).await.0, 400, "no end");
        assert_eq!(refusal("nonsense").await.0, 400);
        assert_eq!(refusal("").await.0, 400);
    }

    #[test]
    fn the_header_is_believed_when_it_says_too_much() {
        let headers = |length: &str, media_type: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_LENGTH, length.parse().unwrap());
            headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
            announced(&headers, &RULES).map_err(|problem| problem.answer(0).status().as_u16())
        };
        assert_eq!(headers("4096", "Multipart/Form-Data; boundary=x"), Ok(4096));
        assert_eq!(headers("4097", "multipart/form-data"), Err(413));
        assert_eq!(headers("many", "multipart/form-data"), Ok(4096));
        assert_eq!(headers("1", "application/json"), Err(415));
    }
}
