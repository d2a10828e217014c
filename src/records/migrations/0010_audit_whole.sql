-- The audit log is only added to, in every table of it, and never in the place of something. Against accidents, as in 0006.

CREATE TRIGGER audit_event_is_new BEFORE INSERT ON audit_event
WHEN NEW.seq < 1 OR EXISTS (SELECT 1 FROM audit_event WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_checkpoint_is_new BEFORE INSERT ON audit_checkpoint
WHEN EXISTS (SELECT 1 FROM audit_checkpoint WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_object_is_new BEFORE INSERT ON audit_object
WHEN EXISTS (SELECT 1 FROM audit_object WHERE seq = NEW.seq AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_object_stays BEFORE DELETE ON audit_object
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_object_is_kept BEFORE UPDATE ON audit_object
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER folder_is_new BEFORE INSERT ON folder
WHEN EXISTS (SELECT 1 FROM folder)
BEGIN SELECT RAISE(ABORT, 'a data folder has one name'); END;
CREATE TRIGGER folder_stays BEFORE DELETE ON folder
BEGIN SELECT RAISE(ABORT, 'a data folder has one name'); END;
CREATE TRIGGER folder_is_kept BEFORE UPDATE ON folder
BEGIN SELECT RAISE(ABORT, 'a data folder has one name'); END;
