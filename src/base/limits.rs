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
/// Longest candidate list, in people.
pub const CANDIDATES_MAX: usize = 1_000;
/// Most templates asked of a scorer for each probe (people with several references need more templates than people).
pub const TOP_K_MAX: usize = 16_384;
/// Survivors of the coarse pass kept for each probe on the CPU; past this the probe is scored exhaustively.
pub const SURVIVORS_MAX: usize = 1 << 20;

/// Most rows of one segment: row numbers inside a segment are 32 bits wide.
pub const SEGMENT_ROWS_MAX: u64 = 1 << 26;
/// Rows at which a gallery's tail is sealed into a segment.
pub const TAIL_ROWS_MAX: usize = 65_536;
/// Most galleries of one data folder.
pub const GALLERIES_MAX: usize = 1_000;

/// Largest HTTP body of one request.
pub const REQUEST_BYTES_MAX: usize = 256 << 20;
/// Most pictures in one request to enrol or to search.
pub const IMAGES_PER_REQUEST_MAX: usize = 64;
/// Requests that may wait for the vision pipeline at once; one more is answered 503.
pub const REQUESTS_WAITING_MAX: usize = 64;

/// Largest model file: a hash and a load of it must end.
pub const MODEL_BYTES_MAX: u64 = 2 << 30;
/// Most numbers handed to a model in one run (a 16-megapixel picture in three channels).
pub const MODEL_INPUT_NUMBERS_MAX: usize = 3 << 24;
/// Largest catalogue file.
pub const CATALOGUE_BYTES_MAX: u64 = 1 << 20;
/// Most model sets of one catalogue.
pub const MODEL_SETS_MAX: usize = 256;
/// Longest time that any one step of an installation may take: a download of the largest model on a slow line.
pub const INSTALL_STEP_S_MAX: u64 = 2 * 3600;
/// Longest time that making a virtual environment, or converting or unpacking one file, may take.
pub const INSTALL_TOOL_S_MAX: u64 = 600;
/// Bytes kept from the end of what a tool prints, for the error message.
pub const TOOL_OUTPUT_BYTES_MAX: usize = 4096;
