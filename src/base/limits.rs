//! Every limit in one place: nothing that comes from outside may grow without one. Units stand last in each name.

/// Largest picture file read, before decoding.
pub const IMAGE_BYTES_MAX: usize = 32 << 20;
/// Most pixels of a picture, checked from its header before decoding.
pub const IMAGE_PIXELS_MAX: u64 = 50_000_000;
/// Longest side of a picture.
pub const IMAGE_SIDE_PX_MAX: u32 = 16_384;
/// Most memory that decoding one picture may take.
pub const IMAGE_DECODE_BYTES_MAX: u64 = 512 << 20;
/// Longest time that the detection and embedding of one picture may take before it is given up.
pub const IMAGE_TIME_MS_MAX: u64 = 30_000;
/// Most faces kept from one picture, best detection score first.
pub const FACES_PER_IMAGE_MAX: usize = 256;

/// Smallest and largest dimension of a template; a dimension is a multiple of [`DIMENSION_STEP`].
pub const DIMENSION_MAX: usize = 2048;
/// Templates come in multiples of so many numbers, since shaders read 16 codes at a time.
pub const DIMENSION_STEP: usize = 16;
/// Most probes scored in one call.
pub const PROBES_PER_SEARCH_MAX: usize = 512;
/// Probes that the CPU sweeps at once, each of which may keep [`SURVIVORS_MAX`] rows. A device may take more.
pub const PROBES_PER_SWEEP_MAX: usize = 64;
/// Probes that may wait for the scorer, those being scored included; a request that would go past it is refused.
pub const SCORING_WAITING_PROBES_MAX: usize = 4_096;
/// Requests of at most so many probes are urgent unless they say otherwise; larger ones are batches.
pub const SCORING_URGENT_PROBES_MAX: usize = 8;
/// Longest time that a probe may wait for company.
pub const SCORING_GATHER_MS_MAX: u64 = 1_000;
/// Most conditions of one filter.
pub const FILTER_TESTS_MAX: usize = 16;
/// Longest candidate list, in people.
pub const CANDIDATES_MAX: usize = 1_000;
/// Most templates asked of a scorer for each probe (people with several references need more templates than people).
pub const TOP_K_MAX: usize = 16_384;
/// Survivors of the coarse pass kept for each probe; past this the probe is scored exhaustively.
pub const SURVIVORS_MAX: usize = 1 << 18;
/// Survivors kept at once over all probes of a sweep: what bounds the memory of a search, however many probes it has.
pub const SURVIVORS_PER_SWEEP_MAX: usize = PROBES_PER_SWEEP_MAX * SURVIVORS_MAX;
/// Entries of a probe's list on a GPU; past this the probe is repaired, up to [`SURVIVORS_MAX`].
pub const GPU_SURVIVORS_MAX: usize = 1 << 16;
/// Probes that a GPU scores in one round at most; the length of their lists and the device's limits may lower it.
pub const GPU_PROBES_PER_ROUND_MAX: usize = PROBES_PER_SEARCH_MAX;
/// Largest buffer of codes on a GPU; wgpu's own limits may be lower.
pub const GPU_SHARD_BYTES_MAX: u64 = 1 << 30;
/// Largest part of a run that is streamed to a GPU at once.
pub const GPU_STREAM_BYTES_MAX: u64 = 64 << 20;
/// Bytes written to a GPU before it is given time to take them, and whoever loads is asked whether to go on.
pub const GPU_UPLOAD_BYTES_MAX: u64 = 32 << 20;
/// Longest wait for one submission to a GPU, each of which is meant to take a tenth of a second.
pub const GPU_WAIT_MS_MAX: u64 = 30_000;

/// Most rows of one segment: row numbers inside a segment are 32 bits wide.
pub const SEGMENT_ROWS_MAX: u64 = 1 << 26;
/// Rows at which a gallery's tail is sealed into a segment.
pub const TAIL_ROWS_MAX: usize = 65_536;
/// Adjacent segments of similar size at which a gallery merges them.
pub const MERGE_FAN: usize = 8;
/// Most rows of a segment that merging makes: one merge rewrites no more than that.
pub const MERGE_ROWS_MAX: u64 = 1 << 22;
/// Erased rows of a hundred at which a segment is rewritten without them.
pub const COMPACT_ERASED_PERCENT: u64 = 20;
/// Rows that background work copies in one go: a few milliseconds, for which enrolments and searches may wait.
pub const MAINTENANCE_SLICE_ROWS: usize = 2_048;
/// The same while somebody searches: about a millisecond.
pub const MAINTENANCE_SLICE_SEARCHED_ROWS: usize = 256;
/// Rows of one chunk of the tail in memory: what an enrolment copies at most when a snapshot still reads the chunk.
pub const TAIL_CHUNK_ROWS: usize = 1_024;
/// Most segments of one gallery.
pub const SEGMENTS_PER_GALLERY_MAX: usize = 10_000;
/// What a merge of segments leaves free on the disk.
pub const MERGE_DISK_RESERVE_BYTES: u64 = 1 << 30;
/// Longest manifest of a gallery.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// Most galleries of one data folder.
pub const GALLERIES_MAX: usize = 1_000;
/// Highest template id: SQL keeps ids as signed 64-bit integers.
pub const TEMPLATE_ID_MAX: u64 = i64::MAX as u64;
/// Most references enrolled by one call, hence by one transaction.
pub const ENROL_BATCH_MAX: usize = 1_024;
/// Most templates erased by one call.
pub const ERASE_BATCH_MAX: usize = 100_000;
/// Most templates of one import.
pub const IMPORT_ROWS_MAX: u64 = 100_000_000;
/// Rows of references that an import writes in one transaction: some milliseconds in which nobody else records anything.
pub const IMPORT_RECORDS_BATCH: usize = 500;
/// The same while somebody searches, whose record waits for it.
pub const IMPORT_RECORDS_SEARCHED_BATCH: usize = 50;
/// What the records take for an imported reference, journal included: 570 bytes were measured with short texts and one
/// attribute, without journal.
pub const IMPORT_RECORD_BYTES: u64 = 1_024;
/// What an import or a restore leaves free on the disk, for what is enrolled and recorded meanwhile.
pub const IMPORT_DISK_RESERVE_BYTES: u64 = 64 << 20;
/// Jobs that may wait for the server or be done by it.
pub const JOBS_WAITING_MAX: usize = 64;
/// Ended jobs of which it is known how they ended.
pub const JOBS_KEPT_MAX: usize = 1_000;
/// How often a job is begun that a dying server leaves unfinished.
pub const JOB_ATTEMPTS_MAX: u32 = 3;
/// Bytes of a job's outcome.
pub const JOB_OUTCOME_BYTES_MAX: usize = 64 << 10;
/// Longest header of a file of raw templates (`.npy`).
pub const NPY_HEADER_BYTES_MAX: usize = 64 << 10;
/// Members of a NumPy archive (`.npz`) that are looked through.
pub const NPZ_MEMBERS_MAX: usize = 1_000;
/// Longest name of one.
pub const NPZ_NAME_BYTES_MAX: usize = 1_024;
/// Characters of a label in one of its members.
pub const NPZ_LABEL_CHARS_MAX: usize = 256;
/// Longest record of a list of subjects for an import.
pub const CSV_RECORD_BYTES_MAX: usize = 1 << 20;
/// Longest name of a model set.
pub const MODEL_NAME_BYTES_MAX: usize = 128;
/// Longest text kept with a reference or a search: a file's name, an officer's, a reason.
pub const RECORD_TEXT_BYTES_MAX: usize = 1_024;
/// Longest name of an attribute of a reference.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 32;
/// Longest value of an attribute.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 64;
/// Most attributes of one reference.
pub const ATTRIBUTES_PER_TEMPLATE_MAX: usize = 16;
/// Most values of an attribute that one filter names.
pub const FILTER_VALUES_MAX: usize = 1_000;
/// Most subjects that one filter names.
pub const FILTER_SUBJECTS_MAX: usize = 100_000;
/// Longest description of an image's quality.
pub const QUALITY_BYTES_MAX: usize = 4_096;
/// Most stages whose times are kept with one search.
pub const SEARCH_STAGES_MAX: usize = 32;

/// Fewest and most edges of a point on the upper levels of a graph; there are twice as many on the lowest.
pub const GRAPH_M_MIN: usize = 4;
/// See [`GRAPH_M_MIN`].
pub const GRAPH_M_MAX: usize = 64;
/// Most points kept in view while a point is added to a graph.
pub const GRAPH_EF_CONSTRUCTION_MAX: usize = 2_048;
/// Most points kept in view by an approximate search: past this an exhaustive one is the better answer.
pub const GRAPH_EF_MAX: usize = TOP_K_MAX;
/// Highest level of a graph's points; the builder has no more.
pub const GRAPH_LEVEL_MAX: usize = 15;
/// Most lines of a graph's recall curve: what its header has room for.
pub const GRAPH_CURVE_LINES_MAX: usize = 64;
/// Most probes of a recall audit at each difficulty.
pub const GRAPH_AUDIT_PROBES_MAX: usize = 100_000;

/// Longest name and longest place of somebody who acts, as the audit log keeps them.
pub const AUDIT_WHO_BYTES_MAX: usize = 256;
/// Most objects that an event names; more are counted.
pub const AUDIT_OBJECTS_MAX: usize = 512;
/// Events that are read at once.
pub const AUDIT_PAGE_MAX: usize = 2_000;
/// Events in one answer over HTTP.
pub const AUDIT_SHOWN_MAX: usize = 200;
/// Bytes of the name of something that events are looked for by.
pub const AUDIT_OBJECT_BYTES_MAX: usize = 64;
/// Most checkpoints of a file that a log is held against: those of ten weeks, where there is one a minute.
pub const AUDIT_ANCHORS_MAX: usize = 100_000;
/// Longest line of such a file.
pub const AUDIT_CHECKPOINT_BYTES_MAX: usize = 2 << 10;

/// Largest file of a policy.
pub const POLICY_BYTES_MAX: usize = 256 << 10;
/// Most purposes, lawful bases and levels of seriousness of a policy, each.
pub const POLICY_WORDS_MAX: usize = 64;
/// Longest of these words.
pub const POLICY_WORD_BYTES_MAX: usize = 64;
/// Most galleries that a policy names for one purpose, or gives periods to.
pub const POLICY_GALLERIES_MAX: usize = 1_000;
/// Contradictions of a policy that an error shows; more are counted.
pub const POLICY_FINDINGS_SHOWN_MAX: usize = 20;
/// Longest reference of a case.
pub const CASE_REFERENCE_BYTES_MAX: usize = 128;
/// Longest name of who authorised a search.
pub const AUTHORISER_BYTES_MAX: usize = 128;
/// Shortest time for which somebody may claim a review, in minutes.
pub const CLAIM_MINUTES_MIN: u32 = 5;
/// Longest time.
pub const CLAIM_MINUTES_MAX: u32 = 24 * 60;
/// Reviews that may be under way.
pub const REVIEWS_OPEN_MAX: usize = 100_000;
/// Reviews or leads that are read at once.
pub const REVIEW_PAGE_MAX: usize = 500;
/// How often something is tried again that somebody else was quicker with.
pub const REVIEW_TRIES_MAX: usize = 8;
/// Samples of a data folder: they stay.
pub const SAMPLES_MAX: usize = 10_000;
/// Most things drawn for one sample: what one event has room for.
pub const SAMPLE_ITEMS_MAX: usize = AUDIT_OBJECTS_MAX - 12;
/// Most things that a sample is drawn from; one hash each.
pub const SAMPLE_POPULATION_MAX: u64 = 200_000_000;
/// Samples that are read at once.
pub const SAMPLE_PAGE_MAX: usize = 500;
/// Longest line of an exported log: what an event with all its objects may take, and twice that.
pub const AUDIT_LINE_BYTES_MAX: usize = 256 << 10;
/// Largest disclosure pack: it is made and checked in memory.
pub const PACK_BYTES_MAX: usize = 256 << 20;
/// Most files of one.
pub const PACK_ENTRIES_MAX: usize = 512;
/// Longest name of one of these.
pub const PACK_NAME_BYTES_MAX: usize = 100;
/// Most events of a pack.
pub const PACK_EVENTS_MAX: usize = AUDIT_PAGE_MAX;
/// Disclosures of a data folder: they stay.
pub const DISCLOSURES_MAX: usize = 1_000_000;
/// Disclosures that are read at once.
pub const DISCLOSURE_PAGE_MAX: usize = 500;
/// Most outcomes of one lead.
pub const LEAD_OUTCOMES_MAX: usize = 64;
/// Longest file of certificates or of a server's key.
pub const TLS_PEM_BYTES_MAX: u64 = 256 << 10;
/// Most certificates in a server's chain.
pub const TLS_CERTIFICATES_MAX: usize = 16;
/// Proposals that may wait for approval.
pub const PROPOSALS_OPEN_MAX: usize = 100;
/// Proposals or policies that are read at once.
pub const PROPOSAL_PAGE_MAX: usize = 500;
/// Days that a proposal may wait.
pub const PROPOSAL_DAYS: u64 = 30;

/// Subjects, images, moves or holds that are read at once.
pub const SUBJECT_PAGE_MAX: usize = 500;
/// Images of a subject that a list counts; of more it says so.
pub const SUBJECT_IMAGES_COUNTED_MAX: usize = 1_000;
/// Most images that go from one subject to another at once.
pub const SUBJECT_MOVE_IMAGES_MAX: usize = 10_000;
/// Longest chain of subjects merged into one another.
pub const SUBJECT_MERGES_MAX: usize = 256;
/// Legal holds of one subject that stand.
pub const HOLDS_OF_SUBJECT_MAX: usize = 64;
/// Images whose dates are reckoned in one transaction.
pub const RECKONED_AT_ONCE: usize = 500;
/// Images that one run of retention erases; the rest is left to the next.
pub const RETENTION_RUN_MAX: usize = 10_000;
/// Rows of each kind in what is counted for publication.
pub const COUNTS_MAX: usize = 10_000;
/// References that retention erases by itself before it looks whether the server stops.
pub const RETENTION_BY_ITSELF_AT_ONCE: usize = 50;
/// Days after which somebody has to look whether a legal hold is still needed: whatever a hold waits for, it is asked about twice a year.
pub const HOLD_REVIEW_DAYS: u32 = 182;
/// Days that are left for that.
pub const HOLD_REVIEW_GRACE_DAYS: u32 = 30;
/// Lists of searches that are emptied in one transaction, and named by its event.
pub const LISTS_EMPTIED_AT_ONCE: usize = 200;
/// Largest file of a deletion certificate: one of as many templates as are erased at once.
pub const CERTIFICATE_BYTES_MAX: usize = 4 << 20;
/// Backups that a certificate names; of more it says that there are.
pub const CERTIFICATE_BACKUPS_MAX: usize = 100;

/// Largest HTTP body of one request.
pub const REQUEST_BYTES_MAX: usize = 256 << 20;
/// Most pictures in one request to enrol or to search.
pub const IMAGES_PER_REQUEST_MAX: usize = 64;
/// Requests that may wait for the vision pipeline at once; one more is answered 503.
pub const REQUESTS_WAITING_MAX: usize = 64;
/// Memory that all bodies being received may take together; a request that would go past it is answered 503.
pub const UPLOADS_MIB_MAX: usize = 1_024;
/// Longest time in which a request's body must have arrived.
pub const UPLOAD_S_MAX: u64 = 120;
/// Longest text field of a multipart body.
pub const TEXT_FIELD_BYTES_MAX: usize = 1_024;
/// Most fields of a multipart body that are no pictures.
pub const TEXT_FIELDS_MAX: usize = 20;
/// Longest name of a picture kept, in characters; the rest is cut off.
pub const PICTURE_NAME_CHARS_MAX: usize = 200;
/// Largest JSON body.
pub const JSON_BYTES_MAX: usize = 64 << 10;
/// Most connections of one thread that talks to clients.
pub const CONNECTIONS_PER_WORKER_MAX: usize = 1_024;

/// Largest configuration file.
pub const SETTINGS_BYTES_MAX: u64 = 1 << 20;
/// Most threads that any pool may be given.
pub const THREADS_MAX: usize = 1_024;
/// Longest wait for running requests at shutdown, in seconds.
pub const SHUTDOWN_S_MAX: u64 = 3_600;
/// Most pictures in one folder to enrol.
pub const FOLDER_FILES_MAX: usize = 5_000_000;
/// Deepest folder below the one to enrol.
pub const FOLDER_DEPTH_MAX: usize = 16;
/// Pictures enrolled in one transaction.
pub const ENROL_CHUNK: usize = 64;
/// Bytes of picture files held between the look whether they are enrolled and the work on them; others are read again.
pub const ENROL_HELD_BYTES_MAX: usize = 64 << 20;
/// Largest model file: a hash and a load of it must end.
pub const MODEL_BYTES_MAX: u64 = 2 << 30;
/// Most numbers handed to a model in one run (a 16-megapixel picture in three channels).
pub const MODEL_INPUT_NUMBERS_MAX: usize = 3 << 24;
/// Largest catalogue file.
pub const CATALOGUE_BYTES_MAX: u64 = 1 << 20;
/// Most model sets of one catalogue.
pub const MODEL_SETS_MAX: usize = 256;
/// Lines of an enrolment report on a terminal.
pub const REPORT_LINES_MAX: usize = 50;
/// Most templates looked at when a gallery's statistics are measured.
pub const STATISTICS_PEOPLE_MAX: usize = TOP_K_MAX;
/// Longest time that any one step of an installation may take: a download of the largest model on a slow line.
pub const INSTALL_STEP_S_MAX: u64 = 2 * 3600;
/// Longest time that making a virtual environment, or converting or unpacking one file, may take.
pub const INSTALL_TOOL_S_MAX: u64 = 600;
/// Bytes kept from the end of what a tool prints, for the error message.
pub const TOOL_OUTPUT_BYTES_MAX: usize = 4096;

/// Points of one curve of a report; what is drawn of longer ones is said beside the plot.
pub const REPORT_POINTS_MAX: usize = 1_000;
/// Groups of people that a report's tables and plots show of one column.
pub const REPORT_GROUPS_MAX: usize = 64;
/// Columns of the manifest of each kind by which a report breaks rates down.
pub const REPORT_COLUMNS_MAX: usize = 16;
/// Pairs of groups that a report lists, those that differ first.
pub const REPORT_PAIRS_MAX: usize = 40;
/// Rows of a report's other tables and lists.
pub const REPORT_ROWS_MAX: usize = 200;
/// Letters of a text from the data that a report shows.
pub const REPORT_TEXT_CHARS_MAX: usize = 2_000;
/// Gallery sizes of one evaluation.
pub const REPORT_GALLERIES_MAX: usize = 64;
/// Ranks, operating points and shares of mated searches of one gallery.
pub const REPORT_TARGETS_MAX: usize = 16;
/// Bins of a histogram of scores.
pub const REPORT_BINS_MAX: usize = 4_096;
/// Images of one evaluation.
pub const EVALUATION_IMAGES_MAX: usize = 2_000_000;
/// Columns of an evaluation's manifest that put people into groups.
pub const EVALUATION_GROUP_COLUMNS_MAX: usize = 16;
/// Values of one such column.
pub const EVALUATION_VALUES_MAX: usize = 64;
/// Types of pictures in a manifest: each has thresholds of its own, and with every degradation there are as many kinds of probe
/// again.
pub const EVALUATION_TYPES_MAX: usize = EVALUATION_VALUES_MAX / 4;
/// Bytes of one line of a manifest or of a list of groups: more than all its cells together may have, each character of them quoted.
pub const EVALUATION_LINE_BYTES_MAX: usize = 64 << 10;
/// Wrong lines of a manifest that are shown.
pub const EVALUATION_FAULTS_MAX: usize = 20;
/// Bytes of one record of an evaluation's journal.
pub const EVALUATION_RECORD_BYTES_MAX: usize = 64 << 20;
/// Operating points of a data folder.
pub const OPERATING_POINTS_MAX: usize = 1_000;
/// Bytes of one.
pub const OPERATING_POINT_BYTES_MAX: usize = 4 << 20;
/// Groups of people that a generator of synthetic templates knows.
pub const SYNTHETIC_GROUPS_MAX: usize = EVALUATION_VALUES_MAX;
/// Types of probes that it knows.
pub const SYNTHETIC_PROBE_TYPES_MAX: usize = 16;
/// Most people that it makes for one evaluation, enrolled ones and others.
pub const SYNTHETIC_PEOPLE_MAX: u32 = 100_000_000;
/// Most images of each that are enrolled.
pub const SYNTHETIC_IMAGES_MAX: u32 = 64;
/// Most probes that it makes for one evaluation.
pub const SYNTHETIC_PROBES_MAX: u32 = 10_000_000;
/// Bytes of a file of its parameters.
pub const SYNTHETIC_PARAMETERS_BYTES_MAX: usize = 64 << 10;
/// Most templates from which its parameters are fitted: scores of all pairs are looked at.
pub const FIT_TEMPLATES_MAX: usize = 8_192;
/// Most searches of one evaluation.
pub const EVALUATION_SEARCHES_MAX: usize = 4_000_000;
/// Most memory that searches may take while the figures of an evaluation are worked out: what
/// `casework::evaluate::bounds` reckons before anything is begun.
pub const EVALUATION_FIGURES_BYTES_MAX: u64 = 8 << 30;
/// Bytes of an `evaluation.json` that is read; with a few sizes and groups it has some hundred kilobytes.
pub const EVALUATION_RESULTS_BYTES_MAX: u64 = 256 << 20;
/// Most groups that are compared with each other, each with each.
pub const EVALUATION_GROUPS_MAX: usize = 64;
/// Kinds of probe within which groups are compared; of more there are too many comparisons to conclude anything from.
pub const EVALUATION_KINDS_COMPARED_MAX: usize = 4;
/// Most replicates of a bootstrap or a permutation test.
pub const RESAMPLES_MAX: u32 = 1_000_000;
/// Searches that all replicates of a trade-off's band go through together: some ten seconds.
pub const BAND_DRAWS_MAX: u64 = 1 << 30;
/// Pairs of a one-to-one evaluation.
pub const EVALUATION_PAIRS_MAX: usize = 2_000_000;
/// Users of a data folder, those who left included: events name them.
pub const USERS_MAX: usize = 10_000;
/// Roles of one user, each gallery counted.
pub const ROLES_OF_USER_MAX: usize = 64;
/// Bytes of a user's full name.
pub const USER_DISPLAY_BYTES_MAX: usize = 128;
/// API keys of one user that count.
pub const KEYS_OF_USER_MAX: usize = 32;
/// API keys of a data folder, those that count no more included.
pub const KEYS_MAX: usize = 100_000;
/// Galleries that one key names.
pub const KEY_GALLERIES_MAX: usize = 64;
/// Days that a key counts at most.
pub const KEY_DAYS_MAX: u32 = 400;
/// Requests a minute that a key may be made for.
pub const KEY_RATE_PER_MIN_MAX: u32 = 60_000;
/// Hours that a key goes on counting after it was replaced.
pub const KEY_ROTATION_H: u64 = 24;
/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Most bytes of a code of a second factor, blanks included.
pub const CODE_BYTES_MAX: usize = 64;
/// Bytes of a provider's signed token.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Keys that a provider publishes.
pub const JWK_KEYS_MAX: usize = 64;
/// Bytes of a text that is sealed for somebody else to carry.
pub const SEALED_TEXT_BYTES_MAX: usize = 1_024;
/// Seconds in which a sign-in at a provider is to be ended.
pub const SSO_PASS_S: u64 = 600;
/// Bytes of an answer of a provider.
pub const SSO_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Seconds that a provider is waited for, in all of one answer.
pub const SSO_WAIT_S: u64 = 5;
/// Seconds for which a provider is believed what it said of itself.
pub const SSO_FRESH_S: u64 = 3_600;
/// Seconds between two looks at a provider's keys, because of tokens that name others.
pub const SSO_AGAIN_S: u64 = 30;
/// Seconds in which a provider is not asked that did not answer.
pub const SSO_REST_S: u64 = 5;
/// Sign-ins at a provider that are asked about at once.
pub const SSO_AT_ONCE_MAX: usize = 8;
/// Bytes of a code that a provider gives a browser.
pub const SSO_CODE_BYTES_MAX: usize = 2_048;
/// Bytes of the file with the secret of a provider's client.
pub const SSO_SECRET_BYTES_MAX: u64 = 4_096;
/// Bytes of the file of the authorities that vouch for a provider.
pub const SSO_AUTHORITIES_BYTES_MAX: u64 = 4 << 20;
/// Bytes of a name that a provider has for somebody.
pub const SSO_SUBJECT_BYTES_MAX: usize = 255;
/// Bytes of a provider's address.
pub const SSO_ISSUER_BYTES_MAX: usize = 512;
/// Identities at providers that one user has.
pub const IDENTITIES_OF_USER_MAX: usize = 8;
/// Wrong passwords after which a user is locked for a minute, and for twice as long after each further one.
pub const PASSWORD_FAILURES_MAX: u32 = 5;
/// Minutes that a user is locked for at most by wrong passwords.
pub const LOCK_OUT_MIN_MAX: u64 = 60;
/// Passwords that are hashed at once, each in 19 MiB.
pub const HASHES_AT_ONCE: usize = 2;
/// Sign-ins by password that wait for that; more are told to come back.
pub const SIGN_INS_WAITING_MAX: usize = 30;
/// Callers whose rate of requests is remembered.
pub const RATE_CALLERS_MAX: usize = 4_096;
/// Requests a minute from one address that say who sends them not at all or wrongly, and are told so.
pub const UNKNOWN_PER_MIN_MAX: u32 = 60;
/// Of these, at once.
pub const UNKNOWN_AT_ONCE_MAX: u32 = 100;
/// Requests of a key that may come at once, however few it is for a minute; otherwise a sixth of those.
pub const KEY_AT_ONCE_MIN: u32 = 5;
/// Hours that a session counts at most.
pub const SESSION_H_MAX: u64 = 10;
/// Minutes that a session counts in which nothing is asked.
pub const SESSION_IDLE_MIN_MAX: u64 = 30;
/// Sessions of one user.
pub const SESSIONS_OF_USER_MAX: usize = 16;
/// Requests a minute of a session.
pub const SESSION_RATE_PER_MIN: u32 = 600;
/// Bytes of a master key's file, or of what a program prints that gives it.
pub const MASTER_KEY_BYTES_MAX: usize = 4_096;
/// Seconds that such a program may take.
pub const MASTER_KEY_COMMAND_S_MAX: u64 = 10;
/// Kept pictures that are listed at once, or taken back at once at a start.
pub const PICTURES_PAGE_MAX: usize = 1_000;
/// Pictures of one submission.
pub const SUBMISSION_IMAGES_MAX: usize = 8;
/// Bytes of all of them.
pub const SUBMISSION_BYTES_MAX: usize = 64 << 20;
/// Submissions of one submitter that nobody has taken yet.
pub const SUBMISSIONS_WAITING_MAX: usize = 200;
/// Submissions that are listed at once.
pub const SUBMISSIONS_PAGE_MAX: usize = 100;
/// Searches of one submission that are shown with it.
pub const SUBMISSION_SEARCHES_SHOWN_MAX: usize = 100;
/// Bytes of a file that is read as a receipt.
pub const RECEIPT_BYTES_MAX: usize = 64 << 10;
/// Unsolved probes on the list.
pub const UNSOLVED_MAX: usize = 10_000;
/// Of these, how many are listed at once.
pub const UNSOLVED_PAGE_MAX: usize = 100;
/// Rescans of one that are shown with it.
pub const UNSOLVED_RESCANS_SHOWN_MAX: usize = 100;
/// Edits of one probe image.
pub const PROBE_EDITS_MAX: usize = 100;
/// Key files of galleries in a data folder, destroyed ones included.
pub const KEY_FILES_MAX: usize = 100_000;
/// Threads that open one sealed file: memory and the disk are slower than more of them.
pub const SEALED_OPEN_THREADS_MAX: usize = 16;
/// Chunks of a sealed file that an erasure writes at a time, and that lie twice on disk meanwhile: 2 MiB.
pub const SEALED_REDO_CHUNKS_MAX: usize = 32;
