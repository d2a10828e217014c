//! Merge, split, reassign, and back: images go from one subject to another, and which ones stays known, so that each move can
//! be undone as long as its images are where it brought them. Records of searches name templates, and never change.

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::SUBJECT_MOVE_IMAGES_MAX;
use crate::records::subjects::{SubjectBook, SubjectError, SubjectState, named_subjects};
use crate::records::{Change, RecordsError};

/// What somebody wants moved.
struct Move<'a> {
    gallery: &'a GalleryName,
    kind: Kind,
    word: &'static str,
    from: i64,
    to: i64,
    images: Vec<i64>,
}

impl SubjectBook {
    /// Makes two subjects one: all images of `from` are `into`'s from now on, and so is who is enrolled as `from`. The number
    /// of the move.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn merge(
        &self,
        gallery: &GalleryName,
        (from, into): (&SubjectRef, &SubjectRef),
        reason: &str,
    ) -> Result<i64, SubjectError> {
        let mut change = self.begin_move(gallery).await?;
        let (from, to) = (change.live_subject(gallery, from).await?, change.live_subject(gallery, into).await?);
        let images = change.images_of(from).await?;
        let moved = Move { gallery, kind: Kind::SubjectMerged, word: "merge", from, to, images };
        let id = change.move_images(&self.caller, &moved, reason).await?;
        change.run("UPDATE subject SET state = 'merged', merged_into = $2 WHERE id = $1", &[from, to]).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Makes a new subject of some images of another. The number of the move.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn split(
        &self,
        gallery: &GalleryName,
        (from, new): (&SubjectRef, &SubjectRef),
        images: &[i64],
        reason: &str,
    ) -> Result<i64, SubjectError> {
        let mut change = self.begin_move(gallery).await?;
        let from = change.live_subject(gallery, from).await?;
        let taken = named_subjects(&mut change.transaction, gallery, &[new]).await.map_err(change.sql())?;
        if let Some(taken) = taken.first() {
            return Err(SubjectError::Taken(*taken));
        }
        let first = change.check_images(gallery, from, images).await?;
        if change.images_of(from).await?.len() <= images.len() {
            return Err(SubjectError::NothingLeft(from));
        }
        let to = change.add_subject(gallery, new, first).await?;
        let moved = Move { gallery, kind: Kind::SubjectSplit, word: "split", from, to, images: images.to_vec() };
        let id = change.move_images(&self.caller, &moved, reason).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Gives an image to another subject. The number of the move.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn reassign(
        &self,
        gallery: &GalleryName,
        image: i64,
        to: &SubjectRef,
        reason: &str,
    ) -> Result<i64, SubjectError> {
        let mut change = self.begin_move(gallery).await?;
        let to = change.live_subject(gallery, to).await?;
        let select = "SELECT subject_id FROM image WHERE id = $1 AND gallery = $2 AND state = 'live'";
        let query = sqlx::query_scalar(select).bind(image).bind(gallery.as_str());
        let from: Option<i64> = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        let from = from.ok_or_else(|| SubjectError::NoImage { gallery: gallery.clone(), image })?;
        let moved = Move { gallery, kind: Kind::ImageReassigned, word: "reassign", from, to, images: vec![image] };
        let id = change.move_images(&self.caller, &moved, reason).await?;
        change.settle_state(from).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Brings the images of a move back to where they came from.
    ///
    /// # Errors
    /// [`SubjectError::MovedOn`] where one of them went on or was erased, and the others.
    pub async fn undo(&self, gallery: &GalleryName, id: i64, reason: &str) -> Result<(), SubjectError> {
        let mut change = self.begin_move(gallery).await?;
        let select = "SELECT from_subject, to_subject, undone_at FROM subject_move WHERE id = $1 AND gallery = $2";
        let query = sqlx::query(select).bind(id).bind(gallery.as_str());
        let row = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        let row = row.ok_or(SubjectError::NoMove(id))?;
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(change.sql());
        let (from, to) = (number("from_subject")?, number("to_subject")?);
        if row.try_get::<Option<String>, _>("undone_at").map_err(change.sql())?.is_some() {
            return Err(SubjectError::Undone(id));
        }
        change.check_came_to_rest(id, to).await?;
        change.check_may_leave(to).await?;
        let state: String = sqlx::query_scalar("SELECT state FROM subject WHERE id = $1")
            .bind(from)
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(change.sql())?;
        if state == SubjectState::Erased.as_str() {
            return Err(SubjectError::NotLive { id: from, state: SubjectState::Erased.as_str() });
        }
        let back =
            "UPDATE image SET subject_id = $2 WHERE id IN (SELECT image_id FROM subject_move_image WHERE move_id = $1)";
        change.run(back, &[id, from]).await?;
        change.run("UPDATE subject SET state = 'live', merged_into = NULL WHERE id = $1", &[from]).await?;
        let update = "UPDATE subject_move SET undone_by = $2, undone_at = $3 WHERE id = $1";
        let query = sqlx::query(update).bind(id).bind(self.person()).bind(clock::now_rfc3339());
        query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        change.settle_state(to).await?;
        change.note((from, Some(to), None), ("undo", id), (self.person(), reason)).await?;
        let undone = Happening::new(Kind::SubjectMoveUndone).of(gallery);
        let undone = undone.about([Object::Subject(from), Object::Subject(to), Object::Move(id)]);
        change.tell(&self.caller, &undone).await?;
        change.commit().await?;
        Ok(())
    }

    async fn begin_move(&self, gallery: &GalleryName) -> Result<Change, SubjectError> {
        let mut change = self.records.begin().await?;
        change.check_settled(gallery).await?;
        Ok(change)
    }

    /// Who acts, as events name them.
    pub(super) fn person(&self) -> &str {
        self.caller.who().actor.as_str()
    }
}

impl Change {
    /// Refuses while an import goes on: what it has recorded may still be taken back.
    pub(super) async fn check_settled(&mut self, gallery: &GalleryName) -> Result<(), SubjectError> {
        let select = "SELECT COUNT(*) FROM template WHERE gallery = $1 AND state = 'live' \
             AND id > (SELECT last_template_id FROM gallery WHERE name = $1)";
        let query = sqlx::query_scalar(select).bind(gallery.as_str());
        let under_way: i64 = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        if under_way > 0 { Err(SubjectError::Importing(gallery.clone())) } else { Ok(()) }
    }

    /// The subject of that reference, which has images of its own.
    pub(super) async fn live_subject(
        &mut self,
        gallery: &GalleryName,
        reference: &SubjectRef,
    ) -> Result<i64, SubjectError> {
        let found = self.subject_as_called(gallery, reference).await?;
        match found {
            Some((id, SubjectState::Live)) => Ok(id),
            Some((id, state)) => Err(SubjectError::NotLive { id, state: state.as_str() }),
            None => Err(SubjectError::NoSubject(gallery.clone())),
        }
    }

    async fn images_of(&mut self, subject: i64) -> Result<Vec<i64>, SubjectError> {
        let select = "SELECT id FROM image WHERE subject_id = $1 AND state = 'live' ORDER BY id LIMIT $2";
        let query = sqlx::query_scalar(select).bind(subject).bind(SUBJECT_MOVE_IMAGES_MAX as i64 + 1);
        let images: Vec<i64> = query.fetch_all(&mut *self.transaction).await.map_err(self.sql())?;
        if images.len() > SUBJECT_MOVE_IMAGES_MAX {
            return Err(SubjectError::TooMany {
                what: "images of one subject to move",
                limit: SUBJECT_MOVE_IMAGES_MAX,
            });
        }
        Ok(images)
    }

    /// Refuses images that are not a subject's; gives the template of the first.
    async fn check_images(&mut self, gallery: &GalleryName, of: i64, images: &[i64]) -> Result<i64, SubjectError> {
        if images.len() > SUBJECT_MOVE_IMAGES_MAX {
            return Err(SubjectError::TooMany { what: "images to move", limit: SUBJECT_MOVE_IMAGES_MAX });
        }
        let mut first = None;
        for &image in images {
            let select = "SELECT template_id FROM image WHERE id = $1 AND subject_id = $2 AND state = 'live'";
            let query = sqlx::query_scalar::<_, i64>(select).bind(image).bind(of);
            let template = query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())?;
            let template = template.ok_or_else(|| SubjectError::NoImage { gallery: gallery.clone(), image })?;
            first = first.or(Some(template));
        }
        first.ok_or_else(|| SubjectError::Decision("say which images, by their numbers".to_owned()))
    }

    /// Refuses what is held, and what is kept out of searches: it would come into them by another name.
    async fn check_may_leave(&mut self, subject: i64) -> Result<(), SubjectError> {
        if let Some(hold) = self.hold_on(subject).await? {
            return Err(SubjectError::Held { subject, hold });
        }
        let select = "SELECT COUNT(*) FROM subject WHERE id = $1 AND restricted_at IS NOT NULL";
        let query = sqlx::query_scalar(select).bind(subject);
        let restricted: i64 = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        if restricted > 0 { Err(SubjectError::Restricted(subject)) } else { Ok(()) }
    }

    /// Refuses to undo a move of which an image is gone or went on.
    async fn check_came_to_rest(&mut self, id: i64, to: i64) -> Result<(), SubjectError> {
        let select = "SELECT i.id AS id, i.state AS state, i.subject_id AS subject, \
             (SELECT COUNT(*) FROM subject_move_image later JOIN subject_move m ON m.id = later.move_id \
             WHERE later.image_id = i.id AND later.move_id > $1 AND m.undone_at IS NULL) AS later \
             FROM subject_move_image mi JOIN image i ON i.id = mi.image_id WHERE mi.move_id = $1 ORDER BY i.id";
        let rows = sqlx::query(select).bind(id).fetch_all(&mut *self.transaction).await.map_err(self.sql())?;
        for row in &rows {
            let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.sql());
            let state: String = row.try_get("state").map_err(self.sql())?;
            let since = match (state.as_str(), number("subject")? == to && number("later")? == 0) {
                ("live", true) => continue,
                ("live", false) => "was moved again since: undo that first",
                (_gone, _) => "was erased since",
            };
            return Err(SubjectError::MovedOn { of: id, image: number("id")?, since });
        }
        Ok(())
    }

    /// Moves images that are checked to be `from`'s.
    async fn move_images(&mut self, caller: &Caller, moved: &Move<'_>, reason: &str) -> Result<i64, SubjectError> {
        let Move { gallery, kind, word, from, to, images } = moved;
        if from == to {
            return Err(SubjectError::Same(*from));
        }
        self.check_may_leave(*from).await?;
        let person = caller.who().actor.clone();
        let insert = "INSERT INTO subject_move (id, gallery, kind, from_subject, to_subject, person, at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM subject_move), $1, $2, $3, $4, $5, $6 RETURNING id";
        let query = sqlx::query_scalar(insert).bind(gallery.as_str()).bind(*word).bind(from).bind(to);
        let query = query.bind(&person).bind(clock::now_rfc3339());
        let id: i64 = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        for image in images {
            self.run("INSERT INTO subject_move_image (move_id, image_id) VALUES ($1, $2)", &[id, *image]).await?;
            self.run("UPDATE image SET subject_id = $2 WHERE id = $1", &[*image, *to]).await?;
        }
        self.note((*from, Some(*to), None), ("move", id), (&person, reason)).await?;
        let objects = [Object::Subject(*from), Object::Subject(*to), Object::Move(id)];
        let happening = Happening::new(*kind).of(gallery).about(objects);
        let happening = happening.about(images.iter().map(|image| Object::Image(*image)));
        self.tell(caller, &happening.with("images", Detail::Number(images.len() as u64))).await?;
        Ok(id)
    }

    /// A subject that has no image left is empty.
    async fn settle_state(&mut self, subject: i64) -> Result<(), SubjectError> {
        let update = "UPDATE subject SET state = 'empty' WHERE id = $1 AND state = 'live' \
             AND NOT EXISTS (SELECT 1 FROM image i WHERE i.subject_id = $1 AND i.state IN ('live', 'erasing'))";
        self.run(update, &[subject]).await?;
        Ok(())
    }

    /// Carries out a statement that takes numbers; how many rows it changed.
    pub(super) async fn run(&mut self, statement: &'static str, numbers: &[i64]) -> Result<u64, RecordsError> {
        let query = numbers.iter().fold(sqlx::query(statement), |query, number| query.bind(*number));
        Ok(query.execute(&mut *self.transaction).await.map_err(self.sql())?.rows_affected())
    }
}
