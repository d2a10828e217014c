//! Candidate lists whose period is over.

use crate::base::ids::GalleryName;
use crate::gallery::room::detached;
use crate::gallery::{GalleryError, Vault};
use crate::records::Over;

impl Vault {
    /// Empties the candidate lists of a gallery that are over, and what was stated and written about them, from the journal too; how many.
    ///
    /// # Errors
    /// What the records say: lists that were emptied before stay so, and are on record.
    pub async fn empty_lists(&self, name: &GalleryName, over: Over) -> Result<u64, GalleryError> {
        let (vault, name) = (self.clone(), name.clone());
        detached(async move {
            let (book, mut emptied) = (vault.disclosure_book(), 0);
            loop {
                match book.empty_lists(&name, over).await? {
                    0 => break,
                    some => emptied += some as u64,
                }
            }
            if emptied > 0 {
                vault.inner.records.empty_journal(vault.inner.options.erase_wait).await?;
            }
            Ok(emptied)
        })
        .await
    }
}
