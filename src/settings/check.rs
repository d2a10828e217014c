//! What each value may be. The file, the environment and the command line are all held to these.
#![allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::ptr_arg,
    reason = "the shape that the configuration library calls"
)]

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use crate::base::limits::{
    CANDIDATES_MAX, IMAGES_PER_REQUEST_MAX, REQUEST_BYTES_MAX, REQUESTS_WAITING_MAX, SCORING_GATHER_MS_MAX,
    SHUTDOWN_S_MAX, THREADS_MAX,
};

fn within(found: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(format!("{found} is not from {least} to {most}")) }
}

/// Threads of a pool; 0 lets the machine decide.
///
/// # Errors
/// What is allowed, for people.
pub fn threads(found: &usize) -> Result<(), String> {
    within(*found as u64, 0, THREADS_MAX as u64)
}

/// Length of a candidate list.
///
/// # Errors
/// What is allowed, for people.
pub fn candidates(found: &usize) -> Result<(), String> {
    within(*found as u64, 1, CANDIDATES_MAX as u64)
}

/// Milliseconds in which probes are gathered.
///
/// # Errors
/// What is allowed, for people.
pub fn gather_ms(found: &u64) -> Result<(), String> {
    within(*found, 0, SCORING_GATHER_MS_MAX)
}

/// A share.
///
/// # Errors
/// What is allowed, for people.
pub fn share(found: &f64) -> Result<(), String> {
    if (0.0..=1.0).contains(found) { Ok(()) } else { Err(format!("{found} is not from 0 to 1")) }
}

/// A comparison score.
///
/// # Errors
/// What is allowed, for people.
pub fn cosine(found: &f64) -> Result<(), String> {
    if (-1.0..=1.0).contains(found) { Ok(()) } else { Err(format!("{found} is not from -1 to 1")) }
}

/// MiB of GPU memory; 0 lets the adapter decide.
///
/// # Errors
/// What is allowed, for people.
pub fn gpu_memory_mib(found: &u64) -> Result<(), String> {
    within(*found, 0, 1 << 20)
}

/// Largest body of a request in MiB.
///
/// # Errors
/// What is allowed, for people.
pub fn request_mib(found: &usize) -> Result<(), String> {
    within(*found as u64, 1, (REQUEST_BYTES_MAX >> 20) as u64)
}

/// Most pictures of a request.
///
/// # Errors
/// What is allowed, for people.
pub fn images(found: &usize) -> Result<(), String> {
    within(*found as u64, 1, IMAGES_PER_REQUEST_MAX as u64)
}

/// Most requests that wait.
///
/// # Errors
/// What is allowed, for people.
pub fn waiting(found: &usize) -> Result<(), String> {
    within(*found as u64, 1, REQUESTS_WAITING_MAX as u64)
}

/// Seconds that running requests are given at shutdown.
///
/// # Errors
/// What is allowed, for people.
pub fn shutdown_s(found: &u64) -> Result<(), String> {
    within(*found, 0, SHUTDOWN_S_MAX)
}

/// A path; an empty one is a mistake, not the working folder.
///
/// # Errors
/// What is allowed, for people.
pub fn path(found: &PathBuf) -> Result<(), String> {
    if found.as_os_str().is_empty() { Err("an empty path: name a file or folder".to_owned()) } else { Ok(()) }
}

/// The name of a model set.
///
/// # Errors
/// What is allowed, for people.
pub fn model_set(found: &String) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&found.len()) && found.bytes().all(fits) {
        Ok(())
    } else {
        Err("a model set is named by 1 to 64 letters, digits, '-', '_' and '.'; `bertillon models list` shows them"
            .into())
    }
}

/// A filter of log lines.
///
/// # Errors
/// What is allowed, for people.
pub fn filter(found: &String) -> Result<(), String> {
    let parsed = EnvFilter::builder().parse(found);
    parsed
        .map(drop)
        .map_err(|error| format!("no log filter ({error}): write a level such as info, or info,bertillon=debug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_each_range() {
        assert!(candidates(&0).is_err() && candidates(&1).is_ok() && candidates(&1001).is_err());
        assert!(threads(&0).is_ok() && threads(&1024).is_ok() && threads(&1025).is_err());
        assert!(request_mib(&0).is_err() && request_mib(&256).is_ok() && request_mib(&257).is_err());
        assert!(images(&0).is_err() && images(&65).is_err() && waiting(&0).is_err() && waiting(&65).is_err());
        assert!(shutdown_s(&3600).is_ok() && shutdown_s(&3601).is_err() && gpu_memory_mib(&(1 << 21)).is_err());
        assert!(gather_ms(&1000).is_ok() && gather_ms(&1001).is_err());
        assert!(share(&0.0).is_ok() && share(&1.01).is_err() && share(&f64::NAN).is_err());
        assert!(cosine(&-1.0).is_ok() && cosine(&1.5).is_err());
        assert_eq!(candidates(&0), Err("0 is not from 1 to 1000".to_owned()));
    }

    #[test]
    fn texts() {
        assert!(filter(&"info,bertillon=debug".to_owned()).is_ok());
        assert!(filter(&"bertillon=loudly".to_owned()).is_err());
        assert!(model_set(&"mtcnn-dlib".to_owned()).is_ok());
        assert!(model_set(&"../weights".to_owned()).is_err() && model_set(&String::new()).is_err());
        assert!(path(&PathBuf::new()).is_err() && path(&PathBuf::from("data")).is_ok());
    }
}
