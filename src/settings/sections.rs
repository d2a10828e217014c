//! The sections of the configuration. The documentation of each field is what `bertillon config --template` prints.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use confique::Config;
use serde::Serialize;

use crate::settings::back_end::BackEnd;
use crate::settings::check;
use crate::settings::master_key::MasterKey;
use crate::settings::records_url::RecordsUrl;
use crate::settings::storage::Storage;

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Data {
    /// The one folder that holds galleries, pictures, models and the database. Made when it is not there.
    #[config(default = "data", env = "BERTILLON_DATA", validate = check::path)]
    pub folder: PathBuf,
}

/// Which models make templates.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Models {
    /// The folder of model files; `models` in the data folder when not set.
    #[config(env = "BERTILLON_MODELS", validate = check::path)]
    pub folder: Option<PathBuf>,
    /// The model set for new galleries, from the catalogue: `bertillon models list` shows them.
    #[config(default = "mtcnn-dlib", env = "BERTILLON_MODELS_SET", validate = check::model_set)]
    pub set: String,
    /// A catalogue of your own, whose sets join those that come with the program.
    #[config(env = "BERTILLON_MODELS_CATALOGUE", validate = check::path)]
    pub catalogue: Option<PathBuf>,
    /// ONNX Runtime's shared library, or the folder that holds it; looked for in the usual places when not set.
    #[config(env = "BERTILLON_MODELS_RUNTIME", validate = check::path)]
    pub runtime: Option<PathBuf>,
}

/// How templates are compared.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Scoring {
    /// auto, cpu, gpu, or one kernel of the CPU: cpu-scalar, cpu-avx2, cpu-avxvnni, cpu-avx512bw, cpu-avx512vnni, cpu-amx,
    /// cpu-neon. All give the same candidate lists; they differ in speed.
    #[config(default = "auto", env = "BERTILLON_SCORING_BACK_END")]
    pub back_end: BackEnd,
    /// Threads that score on the CPU, at most 1024; 0 for one a core.
    #[config(default = 0, env = "BERTILLON_SCORING_THREADS", validate = check::threads)]
    pub threads: usize,
    /// Length of a candidate list unless a search asks otherwise, 1 to 1000.
    #[config(default = 20, env = "BERTILLON_SCORING_CANDIDATES", validate = check::candidates)]
    pub candidates: usize,
    /// Longest wait of a probe for others to be compared in the same pass, in milliseconds, at most 1000. A search that
    /// comes alone does not wait.
    #[config(default = 2, env = "BERTILLON_SCORING_GATHER_MS", validate = check::gather_ms)]
    pub gather_ms: u64,
    /// Least share of what an exhaustive search finds that an approximate one must find, 0 to 1, by the lower end of its
    /// audit's 95 % interval. Less is refused.
    #[config(default = 0.95, env = "BERTILLON_SCORING_APPROXIMATE_RECALL_MIN", validate = check::share)]
    pub approximate_recall_min: f64,
    /// For mates of which comparison score that must hold: 0.60 good pictures, 0.42 ordinary ones, 0.34 those of
    /// surveillance cameras. Audited are these three; another figure counts as the next harder one.
    #[config(default = 0.34, env = "BERTILLON_SCORING_APPROXIMATE_MATE_COSINE", validate = check::cosine)]
    pub approximate_mate_cosine: f64,
    /// Templates from which on a segment of a gallery whose graphs are kept up gets one by itself. Smaller ones are compared
    /// exhaustively, which takes milliseconds, and are merged with others.
    #[config(default = 262_144, env = "BERTILLON_SCORING_GRAPH_ROWS_MIN")]
    pub graph_rows_min: u64,
    /// Most MiB of GPU memory for templates; 0 for what the adapter allows.
    #[config(default = 0, env = "BERTILLON_SCORING_GPU_MEMORY_MAX_MIB", validate = check::gpu_memory_mib)]
    pub gpu_memory_max_mib: u64,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Server {
    /// The address to listen on. Beyond this machine it takes a certificate, or a proxy in front.
    #[config(default = "127.0.0.1", env = "BERTILLON_SERVER_BIND")]
    pub bind: IpAddr,
    /// The port; 0 for any free one.
    #[config(default = 8470, env = "BERTILLON_SERVER_PORT")]
    pub port: u16,
    /// Certificate of the server in PEM, its own first, then those that vouch for it: connections are encrypted (TLS 1.2, 1.3). Read
    /// again on SIGHUP.
    #[config(env = "BERTILLON_SERVER_CERTIFICATE", validate = check::path)]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key in PEM, which its owner alone can read.
    #[config(env = "BERTILLON_SERVER_CERTIFICATE_KEY", validate = check::path)]
    pub certificate_key: Option<PathBuf>,
    /// A proxy encrypts what comes from other machines: the server may be reached beyond this one without a certificate of its own.
    /// The last address of `X-Forwarded-For`, which that proxy must add, is then the client's.
    #[config(default = false, env = "BERTILLON_SERVER_BEHIND_PROXY")]
    pub behind_proxy: bool,
    /// Threads that talk to clients, at most 1024; 0 for one a core.
    #[config(default = 0, env = "BERTILLON_SERVER_WORKERS", validate = check::threads)]
    pub workers: usize,
    /// Largest body of a request in MiB, 1 to 256.
    #[config(default = 64, env = "BERTILLON_SERVER_REQUEST_MAX_MIB", validate = check::request_mib)]
    pub request_max_mib: usize,
    /// Most pictures in one request, 1 to 64.
    #[config(default = 64, env = "BERTILLON_SERVER_IMAGES_MAX", validate = check::images)]
    pub images_max: usize,
    /// Requests that may wait for their turn, 1 to 64; one more is answered 503.
    #[config(default = 64, env = "BERTILLON_SERVER_WAITING_MAX", validate = check::waiting)]
    pub waiting_max: usize,
    /// Seconds that running requests are given at shutdown, at most 3600.
    #[config(default = 30, env = "BERTILLON_SERVER_SHUTDOWN_S", validate = check::shutdown_s)]
    pub shutdown_s: u64,
}

impl Server {
    /// Address and port together.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }

    /// How URLs of this server begin.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// Largest body of a request in bytes.
    #[must_use]
    pub fn request_bytes_max(&self) -> usize {
        self.request_max_mib << 20
    }
}

/// How pictures are turned into templates.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Vision {
    /// Pictures worked on at once, each on its own thread, at most 1024; 0 for one a core.
    #[config(default = 0, env = "BERTILLON_VISION_THREADS", validate = check::threads)]
    pub threads: usize,
}

/// What is logged, to standard error.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Log {
    /// error, warn, info, debug or trace, also by module: `info,bertillon::gallery=debug`.
    #[config(default = "info", env = "BERTILLON_LOG", validate = check::filter)]
    pub filter: String,
}

/// Under which key kept pictures lie, and templates of sealed galleries.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Encryption {
    /// Where the master key is: `file:PATH`, `env:NAME`, or `command:PROGRAM ARGS`, which prints it (run without a shell, for at
    /// most 10 seconds). It is 64 hexadecimal digits. Not set: a file in the data folder, which protects nobody who gets a copy
    /// of all of that folder.
    #[config(env = "BERTILLON_ENCRYPTION_MASTER_KEY")]
    pub master_key: Option<MasterKey>,
    /// How the templates of new galleries lie on disk: mapped (plain files, for encrypted disks) or sealed (under a key of the
    /// gallery, which needs a master key that is not in the data folder).
    #[config(default = "mapped", env = "BERTILLON_ENCRYPTION_SEGMENTS")]
    pub segments: Storage,
    /// Opens sealed galleries also where the system locks less memory than they take: their templates may then be written to its
    /// swap.
    #[config(default = false, env = "BERTILLON_ENCRYPTION_ACCEPT_UNLOCKED_MEMORY")]
    pub accept_unlocked_memory: bool,
}

/// How long things are kept is for the policy to say; this, whether anybody has to begin it.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Retention {
    /// Whether a server erases by itself, each day, what the policy's periods and people's decisions say, in all galleries that have
    /// periods: there is no way back. Otherwise `bertillon retention run` does.
    #[config(default = false, env = "BERTILLON_RETENTION_DAILY")]
    pub daily: bool,
}

/// Where records are kept.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Records {
    /// A PostgreSQL data base for the records, as `postgres://USER:PASSWORD@HOST:PORT/NAME`: each data folder has a schema of its
    /// own there. Better in the environment than here, if there is a password in it; it is never shown. Not set: a file in
    /// the data folder. A folder's records stay where they were first made.
    #[config(env = "BERTILLON_RECORDS_URL")]
    pub url: Option<RecordsUrl>,
}

/// Sign-in at a provider of the force's own (OpenID Connect).
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Sso {
    /// The provider's address, to the letter as its tokens name it. Not set: nobody signs in so, and nothing is asked of anybody.
    #[config(env = "BERTILLON_SSO_ISSUER")]
    pub issuer: Option<String>,
    /// What this server is to the provider.
    #[config(env = "BERTILLON_SSO_CLIENT_ID")]
    pub client_id: Option<String>,
    /// A file whose first line is the secret that the provider gave this server, where it gave one.
    #[config(env = "BERTILLON_SSO_CLIENT_SECRET_FILE", validate = check::path)]
    pub client_secret_file: Option<PathBuf>,
    /// Where the provider sends browsers back to: this server's address as they know it, and `/api/v1/sso/end`.
    #[config(env = "BERTILLON_SSO_REDIRECT")]
    pub redirect: Option<String>,
    /// Certificates in PEM of the authorities that vouch for the provider; those that the system trusts when not set.
    #[config(env = "BERTILLON_SSO_AUTHORITIES", validate = check::path)]
    pub authorities: Option<PathBuf>,
    /// The provider asks everybody for a second factor. Otherwise its tokens must say so (`amr` has `mfa`) of who has a role that
    /// takes one.
    #[config(default = false, env = "BERTILLON_SSO_TRUSTS_SECOND_FACTOR")]
    pub trusts_second_factor: bool,
}
