//! How an installation reports: steps, and bytes within a step. Drawing is the caller's business.

/// Told of every step as it begins, grows and ends. Called from one thread at a time.
pub trait Progress: Sync {
    /// So many steps will follow at most, this far as known.
    fn plan(&self, steps: usize);
    /// A step begins; `bytes` when its size is known beforehand.
    fn begin(&self, step: &str, bytes: Option<u64>);
    /// So many bytes of the present step are there by now.
    fn advance(&self, bytes: u64);
    /// The present step has succeeded. A step that fails ends with the error that the installation returns.
    fn end(&self);
}

/// Reports to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn plan(&self, _steps: usize) {}
    fn begin(&self, _step: &str, _bytes: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self) {}
}
